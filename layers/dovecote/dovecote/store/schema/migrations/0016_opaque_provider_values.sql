-- Values of the provider (device tokens, endpoints, message ids) may be longer than an entry of a B-tree, and
-- endpoints that the provider has still to delete.

-- SNS gives the same endpoint for the same token: a token that changes hands goes with it. A hash index takes
-- values of any length, and an exclusion constraint makes it unique.
drop index dovecote.push_devices_endpoint;
alter table dovecote.push_devices
    add constraint push_devices_endpoint exclude using hash (endpoint with =);

-- Endpoints that a device used, which are to be deleted at the provider unless another device uses them now.
create table dovecote.retired_endpoints (
    retired_endpoint_id bigint generated always as identity primary key,
    user_id             text not null,
    device_session_id   text not null,
    endpoint            text not null,
    retired_at          timestamptz not null default clock_timestamp()
);

create index retired_endpoints_device on dovecote.retired_endpoints (user_id, device_session_id);

alter table dovecote.email_rejections
    drop constraint email_rejections_pkey,
    add column rejection_id bigint generated always as identity primary key,
    add constraint email_rejections_message exclude using hash (message_id with =);

-- Few messages share an email, so that 64 bits tell them apart.
alter table dovecote.further_acceptances
    drop constraint further_acceptances_pkey,
    add column further_acceptance_id bigint generated always as identity primary key;
create unique index further_acceptances_message
    on dovecote.further_acceptances (template_id, idempotency_key, hashtextextended(message_id, 0));
