-- Pin the search_path of functions: names, operators and types come from pg_catalog, then from this schema,
-- and from no schema in which a producer may create. Where PostgreSQL has parsed the body when it made the
-- function (return, begin atomic), no name is looked up in a call; a pin would keep such a function from
-- being inlined, which takes a third of a submit in SQL. ADR 29.

do $$
declare
    one regprocedure;
begin
    for one in
        select oid from pg_proc
        where pronamespace = 'dovecote'::regnamespace and (prosqlbody is null or prosecdef)
    loop
        execute format('alter routine %s set search_path = pg_catalog, dovecote, pg_temp', one);
    end loop;
end $$;
