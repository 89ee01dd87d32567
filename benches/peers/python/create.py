"""New leads: what is wrong with what is given, and the rows of what is right."""

import hashlib
import re
import secrets
import time as clock

import rows
from moego.business.customer.v1 import customer_pb2

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PUNCTUATION = re.compile(r"[\s().-]")


def complete(request, settings):
    """Puts in what is understood, and says what is wrong."""
    lead, wrong = request.lead, []
    if not lead.first_name.strip():
        wrong.append("lead.first_name: is required")
    lead.phone = PUNCTUATION.sub("", lead.phone)
    if not PHONE.fullmatch(lead.phone):
        wrong.append("lead.phone: is not a phone number")
    if lead.email and (len(lead.email) > 254 or not EMAIL.fullmatch(lead.email)):
        wrong.append("lead.email: is not an email address")
    for field, entries in [
        ("life_cycle", settings.life_cycles),
        ("action_status", settings.action_statuses),
        ("referral_source", settings.referral_sources),
    ]:
        if lead.HasField(field) and getattr(lead, field).id not in entries:
            wrong.append(f"lead.{field}.id: is not one of this company")
    if not lead.HasField("life_cycle") and settings.default_life_cycle:
        lead.life_cycle.id = settings.default_life_cycle
    for place, pet in enumerate(lead.pets):
        if not (pet.name and pet.type and pet.breed):
            wrong.append(f"lead.pets[{place}]: needs a name, a type and a breed")
    for code in lead.custom_fields:
        if code not in settings.custom_fields:
            wrong.append(f'lead.custom_fields["{code}"]: is not a field of this company')
    if request.HasField("compliance_config"):
        change = request.compliance_config
        lead.compliance_config.CopyFrom(
            customer_pb2.CustomerComplianceConfig(
                service_related_channels=change.service_related_channels.channels,
                marketing_campaigns_channels=change.marketing_campaigns_channels.channels,
                branded_app_enabled=change.branded_app_enabled,
                is_agreed_marketing_policy=change.is_agreed_marketing_policy,
                is_consented=change.is_consented,
            )
        )
    return wrong


def lead_row(lead, key, now):
    lead_id = new_id("lcus")
    allowed = lead.compliance_config
    return {
        "company_id": lead.company_id,
        "id": lead_id,
        "tie_break": int.from_bytes(hashlib.sha256(lead_id.encode()).digest()[:8], "big", signed=True),
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "avatar": lead.avatar,
        "phone": lead.phone,
        "email": lead.email,
        "email_lower": lead.email.lower() or None,
        "address": address(lead.address) if lead.HasField("address") else None,
        "preferred_business_id": lead.preferred_business_id or None,
        "allocate_staff_id": lead.allocate_staff_id or None,
        "life_cycle_id": lead.life_cycle.id or None,
        "action_status_id": lead.action_status.id or None,
        "referral_source_id": lead.referral_source.id or None,
        "compliance_config": {
            "service_related_channels": list(allowed.service_related_channels),
            "marketing_campaigns_channels": list(allowed.marketing_campaigns_channels),
            "branded_app_enabled": allowed.branded_app_enabled,
            "is_agreed_marketing_policy": allowed.is_agreed_marketing_policy,
            "is_consented": allowed.is_consented,
        },
        "custom_fields": {
            code: rows.stored_value(given) for code, given in lead.custom_fields.items() if given.WhichOneof("value")
        },
        "created_by": key.id,
        "created_time": now,
        "last_updated_by": key.id,
        "last_updated_time": now,
    }


def pet_row(pet, position, lead, now):
    day = pet.birthday
    return {
        "company_id": lead["company_id"],
        "id": new_id("pet"),
        "lead_id": lead["id"],
        "customer_id": None,
        "position": position,
        "name": pet.name,
        "birthday": day.year * 10_000 + day.month * 100 + day.day if pet.HasField("birthday") else None,
        "status": pet.status,
        "type": pet.type,
        "breed": pet.breed,
        "gender": pet.gender,
        "weight": {"value": pet.weight.value, "unit": pet.weight.unit} if pet.HasField("weight") else None,
        "fixed": pet.fixed,
        "coat": pet.coat,
        "behavior": pet.behavior,
        "pet_codes": [
            {"id": it.id, "abbreviation": it.abbreviation, "description": it.description, "color": it.color}
            for it in pet.pet_codes
        ],
        "notes": [
            {
                "id": new_id("note"),
                "content": note.content,
                "last_updated_by": lead["created_by"],
                "last_updated_time": now.isoformat(),
            }
            for note in pet.notes
        ],
        "vaccinations": [
            {"name": it.name, "expired_at": it.expired_at.ToJsonString() if it.HasField("expired_at") else None}
            for it in pet.vaccinations
        ],
        "vet": (
            {"name": pet.vet.name, "phone_number": pet.vet.phone_number, "address": pet.vet.address}
            if pet.HasField("vet")
            else None
        ),
        "evaluation_status": pet.evaluation_status,
        "photo": pet.photo,
        "deleted": pet.deleted,
        "created_time": now,
        "last_updated_time": now,
    }


def address(given):
    return {
        "id": new_id("addr"),
        "address1": given.address1 or given.street,
        "address2": given.address2,
        "city": given.city,
        "state": given.state,
        "postal_code": given.postal_code or given.zip,
        "country": given.country,
        "coordinate": (
            {"latitude": given.coordinate.latitude, "longitude": given.coordinate.longitude}
            if given.HasField("coordinate")
            else None
        ),
        "type": given.type,
    }


def new_id(prefix):
    return f"{prefix}_{clock.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
