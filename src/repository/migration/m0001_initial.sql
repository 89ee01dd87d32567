-- The first schema. Written once for both databases; the words in braces are replaced by each one's types (see mod.rs).
--
-- Every table of a company's data has company_id first in its primary key and in every foreign key: a row of another
-- company cannot be referenced, and a distributed database can place rows by company_id. What has an owner refers to the owner,
-- who refers to the company.

CREATE TABLE company (
    id {id} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    -- ISO 3166-1 alpha-2
    default_region {text},
    created_time {time} NOT NULL,
    last_updated_time {time} NOT NULL
){strict};

CREATE TABLE api_key (
    id {id} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    secret_sha256 {bytes} NOT NULL UNIQUE,
    permissions {json} NOT NULL,
    -- NULL: all companies
    company_ids {json},
    created_time {time} NOT NULL,
    expires_time {time},
    revoked_time {time}
){strict};

CREATE TABLE customer_tag (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    name {text} NOT NULL,
    display_order {int} NOT NULL,
    last_updated_by {text} NOT NULL,
    last_updated_time {time} NOT NULL,
    archived_time {time},
    PRIMARY KEY (company_id, id)
){strict};

CREATE TABLE referral_source (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    name {text} NOT NULL,
    display_order {int} NOT NULL,
    archived_time {time},
    PRIMARY KEY (company_id, id)
){strict};

CREATE TABLE life_cycle (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    name {text} NOT NULL,
    is_default {bool} NOT NULL,
    display_order {int} NOT NULL,
    archived_time {time},
    PRIMARY KEY (company_id, id)
){strict};

CREATE TABLE action_status (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    name {text} NOT NULL,
    color {text} NOT NULL,
    display_order {int} NOT NULL,
    archived_time {time},
    PRIMARY KEY (company_id, id)
){strict};

CREATE TABLE custom_field (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    association_type {int} NOT NULL,
    code {text} NOT NULL,
    label {text} NOT NULL,
    type {int} NOT NULL,
    is_required {bool} NOT NULL,
    default_value {json},
    options {json} NOT NULL,
    source {int} NOT NULL,
    display_order {int} NOT NULL,
    help_text {text} NOT NULL,
    create_time {time} NOT NULL,
    update_time {time} NOT NULL,
    archived_time {time},
    PRIMARY KEY (company_id, id),
    CONSTRAINT custom_field_code UNIQUE (company_id, association_type, code)
){strict};

CREATE TABLE lead (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    -- Orders leads of one created_time; made from the id, and shorter than the longest one.
    tie_break {bigint} NOT NULL,
    -- Before what has many lengths: whoever filters or sorts by them need not look through the rest of a row.
    created_time {time} NOT NULL,
    last_updated_time {time} NOT NULL,
    first_name {text} NOT NULL,
    last_name {text} NOT NULL,
    avatar {text} NOT NULL,
    -- E.164
    phone {text} NOT NULL,
    email {text} NOT NULL,
    email_lower {id},
    address {json},
    preferred_business_id {id},
    allocate_staff_id {id},
    life_cycle_id {id},
    action_status_id {id},
    referral_source_id {id},
    compliance_config {json} NOT NULL,
    custom_fields {json} NOT NULL,
    created_by {text} NOT NULL,
    last_updated_by {text} NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT lead_life_cycle FOREIGN KEY (company_id, life_cycle_id) REFERENCES life_cycle (company_id, id),
    CONSTRAINT lead_action_status FOREIGN KEY (company_id, action_status_id) REFERENCES action_status (company_id, id),
    CONSTRAINT lead_referral_source FOREIGN KEY (company_id, referral_source_id) REFERENCES referral_source (company_id, id)
){strict};

CREATE INDEX lead_by_id ON lead (id);
-- Unique, so that no two leads share a place in a list: a page can begin after any of them.
CREATE UNIQUE INDEX lead_newest ON lead (company_id, created_time, tie_break);
CREATE INDEX lead_newest_of_phone ON lead (company_id, phone, created_time, tie_break);
CREATE INDEX lead_newest_of_email ON lead (company_id, email_lower, created_time, tie_break) WHERE email_lower IS NOT NULL;
CREATE INDEX lead_newest_of_life_cycle ON lead (company_id, life_cycle_id, created_time, tie_break) WHERE life_cycle_id IS NOT NULL;
CREATE INDEX lead_newest_of_action_status ON lead (company_id, action_status_id, created_time, tie_break) WHERE action_status_id IS NOT NULL;
CREATE INDEX lead_newest_of_referral_source ON lead (company_id, referral_source_id, created_time, tie_break) WHERE referral_source_id IS NOT NULL;
CREATE INDEX lead_newest_of_staff ON lead (company_id, allocate_staff_id, created_time, tie_break) WHERE allocate_staff_id IS NOT NULL;
CREATE INDEX lead_newest_of_business ON lead (company_id, preferred_business_id, created_time, tie_break) WHERE preferred_business_id IS NOT NULL;
CREATE INDEX lead_last_updated ON lead (company_id, last_updated_time);

CREATE TABLE customer (
    company_id {id} NOT NULL REFERENCES company (id),
    id {id} NOT NULL,
    tie_break {bigint} NOT NULL,
    created_time {time} NOT NULL,
    last_updated_time {time} NOT NULL,
    first_name {text} NOT NULL,
    last_name {text} NOT NULL,
    avatar {text} NOT NULL,
    phone {text} NOT NULL,
    email {text} NOT NULL,
    email_lower {id},
    addresses {json} NOT NULL,
    status {int} NOT NULL,
    color_code {text} NOT NULL,
    source {text} NOT NULL,
    preferred_business_id {id},
    allocate_staff_id {id},
    life_cycle_id {id},
    action_status_id {id},
    referral_source_id {id},
    preference {json} NOT NULL,
    compliance_config {json} NOT NULL,
    custom_fields {json} NOT NULL,
    created_by {text} NOT NULL,
    last_updated_by {text} NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_life_cycle FOREIGN KEY (company_id, life_cycle_id) REFERENCES life_cycle (company_id, id),
    CONSTRAINT customer_action_status FOREIGN KEY (company_id, action_status_id) REFERENCES action_status (company_id, id),
    CONSTRAINT customer_referral_source FOREIGN KEY (company_id, referral_source_id) REFERENCES referral_source (company_id, id)
){strict};

CREATE INDEX customer_by_id ON customer (id);
CREATE UNIQUE INDEX customer_newest ON customer (company_id, created_time, tie_break);
CREATE INDEX customer_newest_of_phone ON customer (company_id, phone, created_time, tie_break);
CREATE INDEX customer_last_updated ON customer (company_id, last_updated_time);

CREATE TABLE pet (
    company_id {id} NOT NULL,
    id {id} NOT NULL,
    lead_id {id},
    customer_id {id},
    -- The place among the owner's pets, from 0.
    position {int} NOT NULL,
    name {text} NOT NULL,
    -- year * 10000 + month * 100 + day, with 0 for what is not known
    birthday {int},
    status {int} NOT NULL,
    type {int} NOT NULL,
    breed {text} NOT NULL,
    gender {int} NOT NULL,
    weight {json},
    fixed {text} NOT NULL,
    coat {text} NOT NULL,
    behavior {text} NOT NULL,
    pet_codes {json} NOT NULL,
    notes {json} NOT NULL,
    vaccinations {json} NOT NULL,
    vet {json},
    evaluation_status {int} NOT NULL,
    photo {text} NOT NULL,
    deleted {bool} NOT NULL,
    created_time {time} NOT NULL,
    last_updated_time {time} NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT pet_lead FOREIGN KEY (company_id, lead_id) REFERENCES lead (company_id, id) ON DELETE CASCADE,
    CONSTRAINT pet_customer FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id) ON DELETE CASCADE,
    CONSTRAINT pet_has_one_owner CHECK ((lead_id IS NULL) <> (customer_id IS NULL))
){strict};

CREATE INDEX pet_of_lead ON pet (company_id, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX pet_of_customer ON pet (company_id, customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE customer_note (
    company_id {id} NOT NULL,
    id {id} NOT NULL,
    customer_id {id} NOT NULL,
    tie_break {bigint} NOT NULL,
    note {text} NOT NULL,
    created_time {time} NOT NULL,
    last_updated_by {text} NOT NULL,
    last_updated_time {time} NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_note_customer FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id) ON DELETE CASCADE
){strict};

CREATE UNIQUE INDEX customer_note_newest ON customer_note (company_id, customer_id, created_time, tie_break);

CREATE TABLE customer_tag_link (
    company_id {id} NOT NULL,
    customer_id {id} NOT NULL,
    tag_id {id} NOT NULL,
    -- The place among the customer's tags, from 0.
    position {int} NOT NULL,
    PRIMARY KEY (company_id, customer_id, tag_id),
    CONSTRAINT customer_tag_link_customer FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id) ON DELETE CASCADE,
    CONSTRAINT customer_tag_link_tag FOREIGN KEY (company_id, tag_id) REFERENCES customer_tag (company_id, id)
){strict};

-- Which customer a lead became. No foreign key to the customer: the answer stays true when the customer is gone.
CREATE TABLE lead_promotion (
    company_id {id} NOT NULL REFERENCES company (id),
    lead_id {id} NOT NULL,
    customer_id {id} NOT NULL,
    promoted_by {text} NOT NULL,
    promoted_time {time} NOT NULL,
    lead_created_by {text} NOT NULL,
    lead_created_time {time} NOT NULL,
    PRIMARY KEY (company_id, lead_id)
){strict};

CREATE INDEX lead_promotion_by_lead ON lead_promotion (lead_id);
