"""Collections of records, written to an organisation: each row succeeds or fails on its own."""

from starlette.responses import JSONResponse


class Writes:
    """What an organisation does with records that are created, updated and deleted."""

    async def collection(self, request):
        if request.method == "DELETE":
            ids = request.query_params["ids"].split(",")
            rows = [{"Id": each} for each in ids]
        else:
            rows = (await request.json())["records"]
        if len(rows) > 200:
            return problem(
                400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records into this call"
            )
        if self.faults.locks > 0:
            self.faults.locks -= 1
            outcomes = [refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record") for _ in rows]
        else:
            write = {"POST": self._create, "PATCH": self._update, "DELETE": self._remove}[request.method]
            outcomes = [write(row) for row in rows]
        return JSONResponse(outcomes)

    def _create(self, row):
        name = row["attributes"]["type"]
        values = {each: value for each, value in row.items() if each != "attributes"}
        if problem_found := self._unwritable(name, values):
            return problem_found
        if name == "CampaignMember":
            who = values.get("LeadId") or values.get("ContactId")
            if bool(values.get("LeadId")) == bool(values.get("ContactId")):
                return refused("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]")
            known = self.records["Lead" if values.get("LeadId") else "Contact"].get(who)
            if known is None or known["IsDeleted"]:
                return refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            if any(self._is_member(each, values["CampaignId"], who) for each in self.records[name].values()):
                return refused("DUPLICATE_VALUE", "Already a campaign member.")
        return {"id": self.save(name, **values), "success": True, "errors": []}

    @staticmethod
    def _is_member(record, campaign, who):
        is_person = who in {record.get("LeadId"), record.get("ContactId")}
        return is_person and record["CampaignId"] == campaign and not record["IsDeleted"]

    def _update(self, row):
        name = row["attributes"]["type"]
        known = self.records[name].get(row.get("Id"))
        if known is None or known["IsDeleted"]:
            return refused("ENTITY_IS_DELETED" if known else "INVALID_CROSS_REFERENCE_KEY", "entity is deleted")
        values = {each: value for each, value in row.items() if each not in {"attributes", "Id"}}
        if problem_found := self._unwritable(name, values):
            return problem_found
        if name == "CampaignMember" and {"LeadId", "ContactId", "CampaignId"} & values.keys():
            return refused("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: ContactId")
        if name == "Lead" and known.get("IsConverted"):
            return refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        self.save(name, Id=row["Id"], **values)
        return {"id": row["Id"], "success": True, "errors": []}

    def _unwritable(self, name, values):
        for each, value in values.items():
            kind = self.fields[name].get(each)
            if kind is None:
                return refused("INVALID_FIELD", f"No such column '{each}' on sobject of type {name}", [each])
            if type_of(kind) == "double" and isinstance(value, str):
                return refused("JSON_PARSER_ERROR", f"Cannot deserialize instance of double from {value}", [each])
            if type_of(kind) == "picklist255" and len(value or "") > 255:
                return refused("STRING_TOO_LONG", f"{each}: data value too large", [each])
        return None

    def _remove(self, row):
        for name, records in self.records.items():
            if row["Id"] in records and not records[row["Id"]]["IsDeleted"]:
                self.delete(name, row["Id"])
                return {"id": row["Id"], "success": True, "errors": []}
        return refused("ENTITY_IS_DELETED", "entity is deleted")


def problem(status, code, message):
    return JSONResponse([{"message": message, "errorCode": code}], status)


def refused(code, message, fields=()):
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


def type_of(kind):
    return kind[0] if isinstance(kind, tuple) else kind
