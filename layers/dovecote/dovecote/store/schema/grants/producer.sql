-- What a producer may do whose tables are in this database: submit, and nothing else. It reads no table:
-- submit has the rights of its owner.

grant execute on function dovecote.submit to {user};
