#!/usr/bin/env bash
# The story of a lead, told to a fresh `leash demo` by grpcurl, with the bodies of the API documents' examples.
# Prints a line for each step; the first answer that is not as documented ends it with exit code 1.
set -euo pipefail

usage="usage: grpcurl.sh HOST:PORT KEY EXAMPLES_DIR"
target=${1:?$usage} key=${2:?$usage} examples=${3:?$usage}

leads=moego.business.customer.v1.LeadService
settings=moego.business.setting.v1.SettingService

# call METHOD [OPTION...]: the request is on standard input.
call() {
    grpcurl -plaintext -max-time 20 -H "authorization: Bearer $key" -d @ "${@:2}" "$target" "$1"
}

step=""
# Ends the story at the current step.
fail() {
    printf 'FAILED  %s\n%s\n' "$step" "$1" >&2
    exit 1
}

# contains ANSWER TEXT...: every text is part of the answer.
contains() {
    local answer=$1 text
    for text in "${@:2}"; do
        [[ $answer == *"$text"* ]] || fail "expected $text in: $answer"
    done
}

# refused COMMAND...: the output of a call that must fail.
refused() {
    local answer
    if answer=$("$@" 2>&1); then
        fail "expected an error, not: $answer"
    fi
    printf '%s' "$answer"
}

begin() { step=$1; }
end() { printf 'ok      %s\n' "$step"; }

begin "reflection lists and describes the service"
contains "$(grpcurl -plaintext "$target" list)" "$leads" "$settings"
contains "$(grpcurl -plaintext "$target" describe "$leads")" "rpc CreateLead" "rpc PromoteLead"
end

begin "the tags are the documented ones"
contains "$(call "$settings/ListCustomerTags" < "$examples/list_customer_tags.request.json")" \
    '"VIP Customer"' '"First-time Customer"'
end

begin "lcus_001 is listed as documented"
contains "$(call "$leads/ListLeads" < "$examples/list_leads.request.json")" \
    '"lcus_001"' '"John"' '"Facebook Ad Campaign"' '"2024-01-15T10:00:00Z"'
end

begin "the documented lead is created and read back"
created=$(call "$leads/CreateLead" < "$examples/create_lead.request.json")
contains "$created" '"Buddy"' '"Labrador Retriever"' '"+12125551234"' '"zip": "10001"'
id=$(sed -n 's/^  "id": "\(lcus_[^"]*\)",$/\1/p' <<< "$created")
[[ $id ]] || fail "the created lead has no id: $created"
read_back=$(call "$leads/GetLead" <<< "{\"id\": \"$id\"}")
[[ $read_back == "$created" ]] || fail "expected the created lead, not: $read_back"
end

begin "lcus_001 is updated as documented"
contains "$(call "$leads/UpdateLead" < "$examples/update_lead.request.json")" \
    '"Contacted"' '"#00FF00"' '"COMPLIANCE_CHANNEL_SMS"'
end

begin "bad input is refused with every violation"
contains "$(refused call "$leads/CreateLead" <<< '{"lead": {"phone": "12", "email": "nobody"}}')" \
    "InvalidArgument" "lead.first_name" "lead.phone" "lead.email"
end

begin "a call without a key is refused"
contains "$(refused grpcurl -plaintext -d '{"id": "lcus_001"}' "$target" "$leads/GetLead")" \
    "Unauthenticated"
end

begin "lcus_001 is promoted, once"
promoted=$(call "$leads/PromoteLead" < "$examples/promote_lead.request.json")
contains "$promoted" '"ACTIVE"' '"+12125551234"'
customer=$(sed -n 's/^    "id": "\(cus_[^"]*\)",$/\1/p' <<< "$promoted")
[[ $customer ]] || fail "the customer has no id: $promoted"
contains "$(refused call "$leads/GetLead" <<< '{"id": "lcus_001"}')" \
    "NotFound" "LEAD_PROMOTED" "$customer"
end
