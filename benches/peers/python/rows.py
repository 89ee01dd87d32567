"""Rows as messages."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.latlng_pb2 import LatLng
from google.type.money_pb2 import Money
from google.type.timeofday_pb2 import TimeOfDay

from moego.business.customer.v1 import customer_pb2, lead_pb2, pet_pb2
from moego.business.setting.v1 import customer_pb2 as setting
from moego.business.setting.v1 import pet_pb2 as setting_pet
from moego.common.v1 import address_pb2, weight_pb2

Value = setting.CustomField.Value


def lead(row, settings):
    message = lead_pb2.Lead(
        id=row.id,
        company_id=row.company_id,
        first_name=row.first_name,
        last_name=row.last_name,
        avatar=row.avatar,
        phone=row.phone,
        email=row.email,
        preferred_business_id=row.preferred_business_id,
        allocate_staff_id=row.allocate_staff_id,
        life_cycle=settings.life_cycles.get(row.life_cycle_id),
        action_status=settings.action_statuses.get(row.action_status_id),
        referral_source=settings.referral_sources.get(row.referral_source_id),
        compliance_config=customer_pb2.CustomerComplianceConfig(**row.compliance_config),
        created_time=timestamp(row.created_time),
        last_updated_time=timestamp(row.last_updated_time),
    )
    if row.address is not None:
        message.address.CopyFrom(address(row.address))
    for code, stored in row.custom_fields.items():
        message.custom_fields[code].CopyFrom(value(stored))
    return message


def address(stored):
    stored = dict(stored)
    coordinate = stored.pop("coordinate")
    return address_pb2.Address(
        **stored,
        coordinate=coordinate and LatLng(**coordinate),
        street=stored["address1"],
        zip=stored["postal_code"],
    )


def pet(row):
    birthday = row.birthday
    return pet_pb2.Pet(
        id=row.id,
        name=row.name,
        birthday=birthday and Date(year=birthday // 10_000, month=birthday // 100 % 100, day=birthday % 100),
        status=row.status,
        type=row.type,
        breed=row.breed,
        gender=row.gender,
        weight=row.weight and weight_pb2.Weight(**row.weight),
        fixed=row.fixed,
        coat=row.coat,
        behavior=row.behavior,
        pet_codes=[setting_pet.PetCode(**code) for code in row.pet_codes],
        notes=[
            pet_pb2.Pet.Note(**{**note, "last_updated_time": timestamp(moment(note["last_updated_time"]))})
            for note in row.notes
        ],
        vaccinations=[
            pet_pb2.Pet.Vaccination(name=it["name"], expired_at=it["expired_at"] and timestamp(moment(it["expired_at"])))
            for it in row.vaccinations
        ],
        vet=row.vet and pet_pb2.Pet.Vet(**row.vet),
        evaluation_status=row.evaluation_status,
        photo=row.photo,
        deleted=row.deleted,
        created_time=timestamp(row.created_time),
        last_updated_time=timestamp(row.last_updated_time),
    )


def value(stored):
    """The value of a custom field; its column has one key, which names the kind."""
    [(kind, it)] = stored.items()
    match kind:
        case "money":
            return Value(money=Money(**it))
        case "timestamp_time":
            return Value(timestamp_time=timestamp(moment(it)))
        case "relation":
            return Value(relation=Value.Relation(**it))
        case "string_list":
            return Value(string_list=Value.StringList(values=it))
        case "time_of_day":
            return Value(time_of_day=TimeOfDay(**it))
        case _:
            return Value(**{kind: it})


def stored_value(given):
    """The other way."""
    kind = given.WhichOneof("value")
    it = getattr(given, kind)
    match kind:
        case "money":
            it = {"currency_code": it.currency_code, "units": it.units, "nanos": it.nanos}
        case "timestamp_time":
            it = it.ToJsonString()
        case "relation":
            it = {"entity": it.entity, "id": it.id}
        case "string_list":
            it = list(it.values)
        case "time_of_day":
            it = {"hours": it.hours, "minutes": it.minutes, "seconds": it.seconds, "nanos": it.nanos}
    return {kind: it}


def moment(text):
    return datetime.fromisoformat(text)


def timestamp(time):
    message = Timestamp()
    message.FromDatetime(time)
    return message
