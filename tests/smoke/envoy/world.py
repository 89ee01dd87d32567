"""What requests are about: leads and customers, made over gRPC."""

from upstream import CUSTOMERS, LEADS


class World:
    def __init__(self, upstream, example):
        self.upstream = upstream
        self.new_lead = example("create_lead.request")
        self.shared = {}
        self.makers = {
            "customer": self._customer,
            "lead": self._lead,
            "note": self._note,
            "pet": self._lead,
            "token": self._token,
        }

    def prepared(self, request):
        """What stands for the names in the request, for Envoy and for leash."""
        names = request.needs() & self.makers.keys()
        if not request.writes:
            self._make(names, self.shared)
            return self.shared, self.shared
        return self._make(names, {}), self._make(names, {})

    def _make(self, names, made):
        for name in sorted(names):
            if name not in made:
                self.makers[name](made)
        return made

    def _lead(self, made):
        lead = self.upstream.call(LEADS, "CreateLead", self.new_lead)
        made |= {"lead": lead["id"], "pet": lead["pets"][0]["id"]}

    def _customer(self, made):
        lead = self.upstream.call(LEADS, "CreateLead", self.new_lead)
        promoted = self.upstream.call(LEADS, "PromoteLead", {"id": lead["id"]})
        made["customer"] = promoted["customer"]["id"]

    def _note(self, made):
        self._make(["customer"], made)
        request = {"id": made["customer"], "notes": [{"note": "barks at cats"}]}
        answer = self.upstream.call(CUSTOMERS, "AppendCustomerNotes", request)
        made["note"] = answer["notes"][0]["id"]

    def _token(self, made):
        request = {"companyId": "cmp_001", "pagination": {"pageSize": 2}}
        made["token"] = self.upstream.call(LEADS, "ListLeads", request)["nextPageToken"]
