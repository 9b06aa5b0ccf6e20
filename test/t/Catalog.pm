# Catalog.pm - every fact of the catalogs about the extension's objects, as lines that two
# installations can be compared by: no OID, no order of creation.
package Catalog;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(catalog_facts);

# Objects that belong to the extension, by name as pg_identify_object has it; every column of their
# catalog rows, with OIDs turned into names. (Some builds of the server stamp columns: pg_attver.)
my $facts = <<'SQL';
SET search_path = pg_catalog;
WITH member AS (
    SELECT d.classid, d.objid, i.type, i.identity
    FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid,
        LATERAL pg_identify_object(d.classid, d.objid, 0) i
    WHERE e.extname = 'lmtext' AND d.deptype = 'e'),
relation AS (
    SELECT c.*, m.identity FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid),
fact(what, which, value) AS (
    SELECT 'member', m.type || ' ' || m.identity, '' FROM member m
    UNION ALL SELECT 'comment', m.type || ' ' || m.identity, concat_ws(' ', s.objsubid, s.description)
    FROM member m JOIN pg_description s ON s.classoid = m.classid AND s.objoid = m.objid
    UNION ALL SELECT 'comment on column', r.identity || '.' || a.attname, s.description
    FROM relation r JOIN pg_description s ON s.classoid = 'pg_class'::regclass AND s.objoid = r.oid AND s.objsubid > 0
        JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = s.objsubid
    UNION ALL SELECT 'function', m.identity, concat_ws(' | ', p.proowner::regrole, l.lanname, p.procost, p.prorows,
        p.provariadic::regtype, p.prosupport::regprocedure, p.prokind, p.prosecdef, p.proleakproof, p.proisstrict, p.proretset,
        p.provolatile, p.proparallel, p.prorettype::regtype, p.proallargtypes::regtype[], p.proargmodes, p.proargnames,
        pg_get_expr(p.proargdefaults, 0), p.prosrc, p.probin, p.prosqlbody, p.proconfig,
        (SELECT string_agg(x::text, ',' ORDER BY x::text COLLATE "C") FROM unnest(p.proacl) x))
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
        JOIN pg_language l ON l.oid = p.prolang
    UNION ALL SELECT 'aggregate', m.identity, concat_ws(' | ', a.aggkind, a.aggnumdirectargs, a.aggtransfn, a.aggfinalfn,
        a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggfinalextra, a.aggfinalmodify, a.aggsortop,
        a.aggtranstype::regtype, a.aggtransspace, a.agginitval)
    FROM member m JOIN pg_aggregate a ON m.classid = 'pg_proc'::regclass AND a.aggfnoid = m.objid
    UNION ALL SELECT 'relation', r.identity, concat_ws(' | ', r.relkind, r.relowner::regrole, r.relpersistence,
        r.reloptions, r.relrowsecurity, r.relforcerowsecurity, r.relreplident, r.reloftype::regtype,
        CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END,
        (SELECT string_agg(x::text, ',' ORDER BY x::text COLLATE "C") FROM unnest(r.relacl) x))
    FROM relation r
    UNION ALL SELECT 'column', r.identity || '.' || a.attname, concat_ws(' | ', a.attnum, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, a.attcollation::regcollation, a.attstorage, a.attidentity, a.attgenerated,
        (SELECT string_agg(o, ',') FROM unnest(a.attoptions) o WHERE o !~ '^pg_attver='), a.attacl,
        (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'constraint', r.identity, c.conname || ' ' || pg_get_constraintdef(c.oid)
    FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
    UNION ALL SELECT 'index', r.identity, concat(pg_get_indexdef(i.indexrelid), i.indisvalid)
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL SELECT 'rule, trigger or policy', r.identity, x.what
    FROM relation r, LATERAL (SELECT pg_get_triggerdef(t.oid) AS what FROM pg_trigger t WHERE t.tgrelid = r.oid
        UNION ALL SELECT concat(u.rulename, u.ev_enabled) FROM pg_rewrite u WHERE u.ev_class = r.oid
        UNION ALL SELECT y.polname FROM pg_policy y WHERE y.polrelid = r.oid) x
    UNION ALL SELECT 'type', m.identity, concat_ws(' | ', t.typowner::regrole, t.typtype, t.typcategory, t.typlen, t.typbyval,
        t.typinput, t.typoutput, t.typstorage, t.typcollation::regcollation, t.typbasetype::regtype, t.typdefault, t.typacl)
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    UNION ALL SELECT 'attribute', m.identity || '.' || a.attname, concat_ws(' | ', a.attnum,
        format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, col_description(a.attrelid, a.attnum))
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid AND t.typrelid <> 0
        JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
    UNION ALL SELECT 'operator', m.identity, concat_ws(' | ', o.oprowner::regrole, o.oprkind, o.oprcanmerge, o.oprcanhash,
        o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcode, o.oprrest, o.oprjoin)
    FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
    UNION ALL SELECT 'cast', m.identity, concat_ws(' | ', c.castfunc::regprocedure, c.castcontext, c.castmethod)
    FROM member m JOIN pg_cast c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid
    UNION ALL SELECT 'operator class or family', m.identity, a.what
    FROM member m, LATERAL (
        SELECT concat_ws(' ', o.amopstrategy, o.amopopr::regoperator, o.amoppurpose, o.amopsortfamily) AS what
        FROM pg_amop o WHERE m.classid = 'pg_opfamily'::regclass AND o.amopfamily = m.objid
        UNION ALL SELECT concat_ws(' ', p.amprocnum, p.amproc)
        FROM pg_amproc p WHERE m.classid = 'pg_opfamily'::regclass AND p.amprocfamily = m.objid
        UNION ALL SELECT concat_ws(' ', c.opcdefault, c.opcintype::regtype, c.opckeytype::regtype)
        FROM pg_opclass c WHERE m.classid = 'pg_opclass'::regclass AND c.oid = m.objid) a
    UNION ALL SELECT 'schema', m.identity, concat_ws(' | ', n.nspowner::regrole,
        (SELECT string_agg(x::text, ',' ORDER BY x::text COLLATE "C") FROM unnest(n.nspacl) x))
    FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
    UNION ALL SELECT 'extension', e.extname, concat_ws(' | ', e.extowner::regrole, e.extnamespace::regnamespace, e.extrelocatable,
        e.extversion, (SELECT string_agg(c::regclass || ': ' || f, ', ' ORDER BY c::regclass::text COLLATE "C")
                       FROM unnest(e.extconfig, e.extcondition) x(c, f)))
    FROM pg_extension e WHERE e.extname = 'lmtext'
    UNION ALL SELECT 'initial privileges', m.type || ' ' || m.identity, concat_ws(' ', p.objsubid, p.privtype,
        (SELECT string_agg(x::text, ',' ORDER BY x::text COLLATE "C") FROM unnest(p.initprivs) x))
    FROM member m JOIN pg_init_privs p ON p.classoid = m.classid AND p.objoid = m.objid
    UNION ALL SELECT 'dependency', m.type || ' ' || m.identity, concat_ws(' ', d.deptype, i.type, i.identity)
    FROM member m JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.objid,
        LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) i)
SELECT line FROM (SELECT concat_ws(': ', what, which, replace(value, E'\n', '\n')) FROM fact) x(line)
ORDER BY line COLLATE "C"
SQL

sub catalog_facts
{
    my ($ask) = @_;
    return split /\n/, $ask->($facts);
}

1;
