-- Who calls dispatch for what submit did not deliver at once: one at a time, once a second at most.

create table dovecote.handover (
    one         boolean primary key default true check (one),
    -- Until then it is in somebody's hands: a second for a call, longer while a called run works.
    taken_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

insert into dovecote.handover default values;
