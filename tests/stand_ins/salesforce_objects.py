"""The standard objects of an organisation, with the fields that B2B marketing reads."""


def define_standard(org):
    """Give an organisation its standard objects."""
    audit = {"LastActivityDate": "date", "CurrencyIsoCode": "picklist"}
    name = {"FirstName": "string", "LastName": "string", "Name": "string", "Salutation": "picklist", "Title": "string"}
    reach = {"Email": "email", "Phone": "phone", "MobilePhone": "phone", "HasOptedOutOfEmail": "boolean",
             "DoNotCall": "boolean", "LeadSource": "picklist"}  # fmt: skip
    merged = {"MasterRecordId": "reference"}
    org.define("Contact", "003", **name, **reach, **audit, **merged, **address("Mailing"), AccountId="reference",
               Department="string", Birthdate="date")  # fmt: skip
    org.define("Lead", "00Q", **name, **reach, **audit, **merged, **address(""), Company="string", Website="url",
               Status="picklist255", IsConverted="boolean", ConvertedDate="date", ConvertedContactId="reference",
               ConvertedAccountId="reference", ConvertedOpportunityId="reference")  # fmt: skip
    org.define("Account", "001", Name="string", AccountNumber="string", Type="picklist", Industry="picklist",
               AnnualRevenue="currency", NumberOfEmployees="int", Website="url", ParentId="reference", Phone="phone",
               Description="textarea", **address("Billing"), **audit, **merged)  # fmt: skip
    org.define("Opportunity", "006", Name="string", AccountId="reference", StageName="picklist", Amount="currency",
               Probability="percent", CloseDate="date", IsClosed="boolean", IsWon="boolean", Type="picklist",
               CampaignId="reference", **audit)  # fmt: skip
    org.define("OpportunityContactRole", "00K", OpportunityId="reference", ContactId="reference", Role="picklist",
               IsPrimary="boolean")  # fmt: skip
    org.define("AccountContactRelation", "07k", AccountId="reference", ContactId="reference", Roles="multipicklist",
               IsActive="boolean", IsDirect="boolean", StartDate="date", EndDate="date")  # fmt: skip
    org.define("Campaign", "701", Name="string", Type="picklist", Status="picklist", IsActive="boolean",
               StartDate="date", EndDate="date", ActualCost="currency", ParentId="reference")  # fmt: skip
    org.define("CampaignMember", "00v", CampaignId="reference", LeadId="reference", ContactId="reference",
               LeadOrContactId="reference", Status="picklist", HasResponded="boolean", FirstRespondedDate="date")  # fmt: skip
    org.define("CampaignMemberStatus", "01Y", CampaignId="reference", Label="string", IsDefault="boolean")


def address(prefix):
    """Return the parts of an address and the compound field that is made of them."""
    whole = f"{prefix}Address"
    parts = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude")
    return {whole: "address"} | {f"{prefix}{part}": ("string", whole) for part in parts}
