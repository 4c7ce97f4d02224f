-- What functions/purge may do: delete notifications that have ended, with all their records. It reads no
-- recipient and no content, and changes nothing else.

grant select (notification_id), delete on dovecote.notifications to {user};
grant select (notification_id, payload_days), delete on dovecote.notification_payloads to {user};

-- Remove payloads with the data of their routes, which it cannot read.
grant execute on function dovecote.remove_payloads to {user};

-- Nobody may lock a row who may change nothing of it.
grant select (route_id, notification_id, status, created_at, last_attempt_at, published_at),
    update (position), delete
    on dovecote.notification_routes to {user};

-- Entries of users and addresses, which it cannot read.
grant execute on function dovecote.unlist to {user};

-- Submissions that were refused. A row can only be locked with the right to change a column.
grant select (notification_id, refused_at, created_at), update (attempts), delete
    on dovecote.inbox to {user};

grant select (route_id, redrive_id), delete on dovecote.notification_dead_letters to {user};
grant select (route_id, event, at), delete on dovecote.notification_events to {user};
grant select (route_id), delete on dovecote.email_deliveries to {user};
grant select (route_id), delete on dovecote.further_acceptances to {user};
grant select (route_id), delete on dovecote.email_rejections to {user};

-- Where it continues.
grant select, insert, update (after_id, began_at) on dovecote.purge_place to {user};

-- Old redrives, which it cannot read, and counts of minutes.
grant select (redrive_id), delete on dovecote.redrives to {user};
grant select (minute, writer), delete on dovecote.minutes to {user};

-- Devices that died long ago, which it cannot read.
grant execute on function dovecote.delete_dead_devices to {user};
