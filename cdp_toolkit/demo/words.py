"""The words that the made-up world is written in."""

# ruff: noqa: SIM905 - a hundred names are read best as text

FIRST_NAMES = (
    "Anna Marie Peter John Mary James Linda Robert Susan Michael Karen David Sarah William Emma Thomas Laura Daniel "
    "Julia Markus Sabine Jürgen Björn Åsa Zoë François Chloé Noémie Łukasz Agnieszka Søren Ingrid Jan Pieter Femke "
    "Giulia Marco José María Carlos Lucía Priya Arjun Ananya Wei Mei Hiroshi Yuki Fatima Omar Aisha Kwame Nia Olga "
    "Dmitri Siobhán Liam Aoife Ewan Fiona Hamish Noah Olivia Liam Charlotte Amelia Jack Grace Henry Alice Samuel Ruth "
    "Gabriel Léa Hugo Inès Felix Clara Oskar Greta Matteo Sofia Rafael Beatriz Ivan Petra Stefan Katja Uwe Heike"
).split()

LAST_NAMES = (
    "Smith Johnson Brown Taylor Wilson Clark Lewis Walker Hall Allen Young King Wright Scott Green Baker Adams Nelson "
    "Müller Schmidt Schneider Fischer Weber Wagner Becker Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann "
    "Martin Bernard Dubois Lefèvre Moreau Laurent Girard Bonnet Tremblay Gagnon Roy Côté Bouchard Gauthier Fortin "
    "Jensen Nielsen Hansen Sørensen Lindqvist Eriksson Nyström Kowalski Nowak Wiśniewski García Martínez López Ruiz "
    "Rossi Ferrari Bianchi Romano O'Connor Murphy Kelly Byrne MacDonald Fraser Patel Singh Sharma Gupta Khan Ahmed "
    "Chen Wang Li Zhang Tanaka Sato Suzuki Kim Park Nguyen Okafor Mensah Silva Santos Costa Ivanova Petrov"
).split()

COMPANY_STARTS = (
    "North South East West Blue Red Silver Gold Iron Stone River Lake Hill Oak Maple Cedar Bright Clear Swift True "
    "High Grand Prime First Apex Nova Terra Aqua Sol Luna Orion Vega Delta Omega Alpha Quantum Vertex Summit Harbor Metro"
).split()

COMPANY_ENDS = (
    "wind field bridge gate ford port view crest ridge brook wood land stone forge works point mark line path way "
    "star light sail rock spring dale shire haven bay peak root leaf grove vale cliff shore mill yard well cross"
).split()

COMPANY_KINDS = (
    "Systems|Group|Labs|Partners|Holdings|Technologies|Industries|Solutions|Logistics|Capital|Health|Foods|Energy|"
    "Media|Networks|Insurance|Bank|Motors|Pharma|Retail|Software|Materials|Services|Consulting|Smith, Jones & Co"
).split("|")

INDUSTRIES = {
    "Finance": 0.18, "Technology": 0.22, "Healthcare": 0.14, "Manufacturing": 0.16, "Retail": 0.12,
    "Energy": 0.06, "Education": 0.05, "Media": 0.04, "Transportation": 0.03,
}  # fmt: skip

# Country: weight, calling code, cities.
COUNTRIES = {
    "United States": (0.42, "+1 212 555", ("New York", "Chicago", "Austin", "Seattle", "Boston")),
    "Canada": (0.14, "+1 416 555", ("Toronto", "Montréal", "Vancouver", "Calgary", "Ottawa")),
    "Germany": (0.12, "+49 30 2093", ("Berlin", "München", "Hamburg", "Köln", "Stuttgart")),
    "United Kingdom": (0.10, "+44 20 7946", ("London", "Manchester", "Leeds", "Bristol", "Glasgow")),
    "France": (0.07, "+33 1 7018", ("Paris", "Lyon", "Lille", "Nantes", "Toulouse")),
    "Netherlands": (0.05, "+31 20 708", ("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Delft")),
    "Australia": (0.05, "+61 2 5550", ("Sydney", "Melbourne", "Perth", "Brisbane", "Adelaide")),
    "Japan": (0.05, "+81 3 5550", ("Tokyo", "Osaka", "Nagoya", "Kyoto", "Sapporo")),
}

LEGAL_FORMS = {
    "United States": "Inc.", "Canada": "Ltd.", "Germany": "GmbH", "United Kingdom": "Limited", "France": "S.A.",
    "Netherlands": "B.V.", "Australia": "Pty Ltd", "Japan": "K.K.",
}  # fmt: skip

STREETS = ("Main Street", "Park Avenue", "Market Street", "Church Road", "Station Road", "Lake Drive", "Mill Lane")

DEPARTMENTS = {
    "Sales": 0.14, "Marketing": 0.14, "Finance": 0.12, "Human Resources": 0.10, "Information Technology": 0.16,
    "Operations": 0.12, "Engineering": 0.10, "Procurement": 0.06, "Legal": 0.03, "Customer Service": 0.03,
}  # fmt: skip

CHIEFS = {
    "Sales": "Chief Revenue Officer", "Marketing": "Chief Marketing Officer", "Finance": "Chief Financial Officer",
    "Human Resources": "Chief Human Resources Officer", "Information Technology": "Chief Information Officer",
    "Operations": "Chief Operating Officer", "Engineering": "Chief Technology Officer",
    "Procurement": "Chief Procurement Officer", "Legal": "General Counsel", "Customer Service": "Chief Customer Officer",
}  # fmt: skip

# Level: weight, title with the department in it.
LEVELS = {
    "chief": (0.05, "{chief}"),
    "vice president": (0.07, "Vice President of {department}"),
    "director": (0.12, "Director of {department}"),
    "manager": (0.24, "{department} Manager"),
    "specialist": (0.52, "{department} Specialist"),
}

LEAD_SOURCES = {"Web": 0.35, "Trade Show": 0.2, "Webinar": 0.2, "Purchased List": 0.1, "Partner Referral": 0.15}

# Stage: weight, probability in percent, forecast category.
STAGES = {
    "Prospecting": (0.12, 10, "Pipeline"),
    "Qualification": (0.12, 20, "Pipeline"),
    "Needs Analysis": (0.10, 40, "Best Case"),
    "Proposal/Price Quote": (0.10, 65, "Best Case"),
    "Negotiation/Review": (0.08, 80, "Commit"),
    "Closed Won": (0.25, 100, "Closed"),
    "Closed Lost": (0.23, 0, "Omitted"),
}

DEAL_ROLES = {
    "Decision Maker": 0.28, "Economic Buyer": 0.16, "Influencer": 0.22, "Evaluator": 0.16, "Executive Sponsor": 0.06,
    "Technical Buyer": 0.12,
}  # fmt: skip

# Several roles are one text with semicolons, as Salesforce exports a multi-select picklist.
ACCOUNT_ROLES = {
    "Employee": 0.5, "Manager": 0.18, "Decision Maker;Manager": 0.06, "Evaluator": 0.1, "Technical Buyer": 0.1,
    "Executive Sponsor": 0.06,
}  # fmt: skip

CHANNELS = {"Webinar": 0.25, "Trade Show": 0.15, "Email Blast": 0.3, "Content": 0.2, "Online Advertising": 0.1}

LISTS = (
    "Anniversary users", "Newsletter subscribers", "Customer council", "Event guests Berlin", "Event guests Toronto",
    "Beta testers", "Champions", "Trial users", "Partners", "Press",
)  # fmt: skip

SITE = "https://www.cloudbridge.example"

# Page: weight.
PAGES = {
    "/": 0.22, "/pricing": 0.09, "/pricing/enterprise": 0.03, "/product": 0.14, "/product/integrations": 0.08,
    "/resources/whitepaper": 0.08, "/blog/customer-data": 0.1, "/blog/account-based-marketing": 0.08,
    "/customers": 0.06, "/webinars": 0.05, "/careers": 0.04, "/contact": 0.03,
}  # fmt: skip

QUERIES = {"": 0.7, "utm_source=newsletter&utm_medium=email": 0.2, "utm_source=search&utm_medium=cpc": 0.1}

REFERRERS = {"": 0.5, "https://www.search.example/": 0.3, "https://news.example/crm": 0.2}

BROWSERS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36": 0.6,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15": 0.25,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15": 0.15,
}

FORMS = {"Contact us": 0.3, "Request a demo": 0.3, "Download whitepaper": 0.4}
