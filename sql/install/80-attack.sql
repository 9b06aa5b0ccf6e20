-- 80-attack: how far a classifier withstands small changes of texts, by a greedy search for the change that misleads it.

-- The options with their defaults; those that are wrong are refused.
CREATE FUNCTION lmtext_internal.attack_options(options jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[] := '{letter_swap,letter_delete,letter_insert,keyboard,swap,delete,insert,synonyms}';
    settings jsonb := '{"ops": ["letter_swap", "letter_delete", "letter_insert", "keyboard"], "budget": 3, "seed": 42}';
    wrong text;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM jsonb_object_keys(options) o WHERE o <> ALL ('{ops,budget,seed,synonyms}'::text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown option "%s"', lmtext_internal.shown(wrong)), HINT = 'Available options: ops, budget, seed, synonyms.';
    END IF;
    settings := settings || jsonb_strip_nulls(options);
    wrong := CASE
        WHEN jsonb_typeof(settings -> 'ops') <> 'array' THEN 'option "ops" must be an array of operations'
        WHEN settings -> 'ops' = '[]' THEN 'option "ops" must have an operation'
        WHEN jsonb_typeof(settings -> 'budget') <> 'number' OR settings ->> 'budget' !~ '^[1-9][0-9]{0,3}$'
            THEN 'option "budget" must be a whole number from 1 to 9999'
        WHEN jsonb_typeof(settings -> 'seed') <> 'number' OR settings ->> 'seed' !~ '^[0-9]{1,15}$'
            THEN 'option "seed" must be a whole number of at most 15 digits'
        WHEN jsonb_typeof(settings -> 'synonyms') <> 'string' THEN 'option "synonyms" must be a query of word and synonym' END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
    END IF;
    SELECT coalesce(o #>> '{}', 'null') INTO wrong FROM jsonb_array_elements(settings -> 'ops') o WHERE jsonb_typeof(o) <> 'string' OR o #>> '{}' <> ALL (known);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown operation of lmtext.attack: "%s"', lmtext_internal.shown(wrong)),
            HINT = format('Available operations: %s.', array_to_string(known, ', '));
    END IF;
    IF settings -> 'ops' ? 'synonyms' AND NOT settings ? 'synonyms' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the operation "synonyms" needs the option "synonyms"';
    END IF;
    RETURN settings;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_options(jsonb) IS 'options of lmtext.attack, checked, with their defaults';

-- What a word becomes by an operation on its letters; NULL where it has too few. The place is drawn from the word and the seed.
CREATE FUNCTION lmtext_internal.attack_letters(word text, op text, seed bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN op = 'letter_insert' THEN overlay(word PLACING chr(97 + (d.drawn / 4096 % 26)::integer) FROM 1 + (d.drawn % (d.letters + 1))::integer FOR 0)
        WHEN d.letters < 2 THEN NULL
        WHEN op = 'letter_delete' THEN overlay(word PLACING '' FROM 1 + (d.drawn % d.letters)::integer FOR 1)
        WHEN op = 'letter_swap' THEN (SELECT overlay(word PLACING reverse(substr(word, p.place, 2)) FROM p.place FOR 2)
                                      FROM (SELECT 1 + (d.drawn % (d.letters - 1))::integer AS place) p) END
    FROM (SELECT length(word) AS letters, hashtextextended(concat(op, ' ', word), seed) & 4611686018427387903 AS drawn) d
$$;
COMMENT ON FUNCTION lmtext_internal.attack_letters(text, text, bigint) IS 'a word with one letter less, more or moved';

-- Texts in which the word at a place is changed, and the words that they consist of; a word that went is empty.
CREATE FUNCTION lmtext_internal.attack_variants(words text[], place integer, settings jsonb, synonyms jsonb)
    RETURNS TABLE (variant text, word text, next text)
    LANGUAGE sql STABLE PARALLEL UNSAFE COST 10000 ROWS 4 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_to_string(array_remove(words[:place - 1] || v.word || coalesce(v.next, words[place + 1]) || words[place + 2:], ''), ' '), v.word, v.next
    FROM (SELECT words[place] AS word, words[place + 1] AS next, (settings ->> 'seed')::bigint AS seed) own
    CROSS JOIN jsonb_array_elements_text(settings -> 'ops') WITH ORDINALITY o (op, rank)
    CROSS JOIN LATERAL (
        SELECT lmtext_internal.attack_letters(own.word, o.op, own.seed) AS word, own.next AS next, 1 AS rank WHERE o.op LIKE 'letter%'
        UNION ALL SELECT a, own.next, 1 FROM lmtext.augment(own.word, '{keyboard}', 1, own.seed) a WHERE o.op = 'keyboard'
        UNION ALL SELECT own.next, own.word, 1 WHERE o.op = 'swap' AND own.next IS NOT NULL
        UNION ALL SELECT '', own.next, 1 WHERE o.op = 'delete' AND cardinality(array_remove(words, '')) > 1
        UNION ALL SELECT concat(own.word, ' ', coalesce(synonyms -> lower(own.word) ->> 0, own.word)), own.next, 1 WHERE o.op = 'insert'
        UNION ALL SELECT s, own.next, n::integer FROM jsonb_array_elements_text(synonyms -> lower(own.word)) WITH ORDINALITY s (s, n) WHERE o.op = 'synonyms') v
    WHERE v.word IS NOT NULL AND (v.word, v.next) IS DISTINCT FROM (own.word, own.next)
    ORDER BY o.rank, v.rank
$$;
COMMENT ON FUNCTION lmtext_internal.attack_variants(text[], integer, jsonb, jsonb) IS 'what a text becomes by the operations on one of its words';

-- How far each text is from being misled: the score of the label, or, where the model gives another one, -1 less that one's score.
CREATE FUNCTION lmtext_internal.attack_margins(texts text[], label text, model regclass) RETURNS double precision[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(CASE WHEN s.found IS NULL THEN 'Infinity' WHEN s.found = label THEN s.score ELSE -1 - s.score END ORDER BY s.rank)
    FROM unnest(lmtext.classify_scored(texts, model)) WITH ORDINALITY s (found, score, rank)
$$;
COMMENT ON FUNCTION lmtext_internal.attack_margins(text[], text, regclass) IS 'how sure a model is of a label for each of some texts; below 0 it gives another one';

-- One text: words in the order in which the label suffers without them; each gets the change that harms it most, until the model is misled.
CREATE FUNCTION lmtext_internal.attack_text(
    input text, label text, model regclass, settings jsonb, synonyms jsonb,
    OUT before boolean, OUT after boolean, OUT changed integer, OUT words integer, OUT queries integer, OUT variant text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts text[] := array_remove(regexp_split_to_array(input, '\s+'), '');
    margins double precision[] := lmtext_internal.attack_margins(ARRAY[input], label, model);
    margin double precision := margins[1];
    variants record;
    best integer;
    place integer;
BEGIN
    before := margin >= 0;
    after := before;
    changed := 0;
    words := cardinality(parts);
    queries := 1;
    variant := input;
    IF NOT before OR words = 0 THEN
        RETURN;
    END IF;
    -- Without its only word a text may have no token, which is an error.
    margins := CASE WHEN words = 1 THEN '{0}' ELSE lmtext_internal.attack_margins(
        ARRAY(SELECT array_to_string(parts[:i - 1] || parts[i + 1:], ' ') FROM generate_series(1, words) i ORDER BY i), label, model) END;
    queries := CASE WHEN words = 1 THEN 1 ELSE 1 + words END;
    FOR place IN SELECT m.i FROM unnest(margins) WITH ORDINALITY m (margin, i) ORDER BY m.margin, m.i LIMIT (settings ->> 'budget')::integer LOOP
        SELECT array_agg(v.variant) AS texts, array_agg(v.word) AS word, array_agg(v.next) AS next INTO variants
        FROM lmtext_internal.attack_variants(parts, place, settings, synonyms) v;
        CONTINUE WHEN variants.texts IS NULL;
        margins := lmtext_internal.attack_margins(variants.texts, label, model);
        queries := queries + cardinality(margins);
        SELECT m.i INTO best FROM unnest(margins) WITH ORDINALITY m (margin, i) ORDER BY m.margin, m.i LIMIT 1;
        CONTINUE WHEN margins[best] >= margin;
        margin := margins[best];
        changed := changed + 1;
        variant := variants.texts[best];
        parts[place] := variants.word[best];
        IF place < words THEN
            parts[place + 1] := variants.next[best];
        END IF;
        after := margin >= 0;
        EXIT WHEN NOT after;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_text(text, text, regclass, jsonb, jsonb) IS 'a search for changes of a text that mislead a model';

-- Synonyms of words in lower case, of a query by the caller's rights.
CREATE FUNCTION lmtext_internal.attack_synonyms(query text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    synonyms pg_catalog.jsonb;
BEGIN
    IF query IS NULL THEN
        RETURN NULL;
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.attack', query)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of synonyms of lmtext.attack must have two columns, word and synonym';
    END IF;
    EXECUTE pg_catalog.format($q$
        SELECT pg_catalog.jsonb_object_agg(g.word, g.others)
        FROM (SELECT pg_catalog.lower(q.word::pg_catalog.text) AS word,
                     pg_catalog.jsonb_agg(q.synonym::pg_catalog.text ORDER BY q.synonym::pg_catalog.text COLLATE pg_catalog."C") AS others
              FROM (%s
              ) q (word, synonym)
              WHERE q.word IS NOT NULL AND q.synonym IS NOT NULL GROUP BY 1) g$q$, pg_catalog.rtrim(query, E'; \t\r\n')) INTO synonyms;
    RETURN synonyms;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_synonyms(text) IS 'synonyms of each word, of the query of lmtext.attack';

CREATE FUNCTION lmtext.attack(model text, query text, options jsonb DEFAULT '{}') RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 10000000 ROWS 6 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    settings pg_catalog.jsonb := lmtext_internal.attack_options(options);
    synonyms pg_catalog.jsonb := lmtext_internal.attack_synonyms(pg_catalog.jsonb_object_field_text(settings, 'synonyms'));
BEGIN
    IF coalesce(version.task OPERATOR(pg_catalog.<>) 'classification', true) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = pg_catalog.format('model "%s@%s" is no classifier', version.name, version.version),
            DETAIL = pg_catalog.format('Its task is %s.', version.task);
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.attack', query)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of lmtext.attack must have two columns, text and label';
    END IF;
    RETURN QUERY EXECUTE pg_catalog.format($q$
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows, pg_catalog.avg(a.before::pg_catalog.int4)::pg_catalog.float8 AS accuracy,
                   pg_catalog.avg(a.after::pg_catalog.int4)::pg_catalog.float8 AS attacked,
                   pg_catalog.avg(1 OPERATOR(pg_catalog.-) a.after::pg_catalog.int4) FILTER (WHERE a.before)::pg_catalog.float8 AS success,
                   pg_catalog.avg(pg_catalog.float8div(a.changed, a.words)) FILTER (WHERE a.before AND NOT a.after) AS changed,
                   pg_catalog.avg(a.queries)::pg_catalog.float8 AS queries
            FROM (SELECT q.input::pg_catalog.text AS input, q.label::pg_catalog.text AS label FROM (%s
                ) q (input, label) WHERE q.input IS NOT NULL AND q.label IS NOT NULL OFFSET 0) r
            CROSS JOIN LATERAL lmtext_internal.attack_text(r.input, r.label, $1, $2, $3) a) t
        CROSS JOIN LATERAL (VALUES ('rows', t.rows), ('accuracy', t.accuracy), ('accuracy_under_attack', t.attacked),
            ('success_rate', t.success), ('words_changed', t.changed), ('queries', t.queries)) m (measure, value)$q$,
        pg_catalog.rtrim(query, E'; \t\r\n')) USING version.model, settings, synonyms;
END $$;
COMMENT ON FUNCTION lmtext.attack(text, text, jsonb) IS
    'how far a classifier withstands small changes of the texts of a query of text and label: its accuracy before and under attack';

-- The newest version of a name, as a name with the quotes that it needs.
CREATE FUNCTION lmtext_internal.newest_version(name text) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
    SELECT pg_catalog.concat(m.model)
    FROM lmtext.models m, pg_catalog.pg_class c, pg_catalog.pg_class own
    WHERE c.oid OPERATOR(pg_catalog.=) m.model AND own.oid OPERATOR(pg_catalog.=) lmtext_internal.resolve_model(newest_version.name)
        AND c.relnamespace OPERATOR(pg_catalog.=) own.relnamespace
        AND m.name OPERATOR(pg_catalog.=) (SELECT n.name FROM lmtext.models n WHERE n.model OPERATOR(pg_catalog.=) own.oid)
    ORDER BY m.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION lmtext_internal.newest_version(text) IS 'the newest version of a model, whichever is deployed';

-- Whether a name means a version.
CREATE FUNCTION lmtext_internal.has_version(name text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
BEGIN
    PERFORM lmtext_internal.resolve_model(has_version.name);
    RETURN true;
EXCEPTION WHEN undefined_object THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION lmtext_internal.has_version(text) IS 'whether there is a model of a name';

-- The options with their defaults; those that are wrong are refused.
CREATE FUNCTION lmtext_internal.harden_options(options jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings jsonb := '{"rounds": 3, "share": 0.3, "heads": 0, "neurons": 0, "train": {}, "prune": {}, "attack": {}, "keep": false}';
    wrong text;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM jsonb_object_keys(options) o WHERE NOT settings ? o AND o <> ALL ('{target,test}'::text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = 'Available options: target, rounds, share, heads, neurons, train, prune, attack, test, keep.';
    END IF;
    settings := settings || jsonb_strip_nulls(options);
    wrong := CASE
        WHEN jsonb_typeof(settings -> 'target') IS DISTINCT FROM 'object' OR settings -> 'target' = '{}'
            OR EXISTS (SELECT FROM jsonb_each(settings -> 'target') t WHERE t.key <> ALL ('{accuracy,accuracy_under_attack,ratio}') OR jsonb_typeof(t.value) <> 'number')
            THEN 'option "target" must be an object of numbers with accuracy, accuracy_under_attack or ratio'
        WHEN jsonb_typeof(settings -> 'rounds') <> 'number' OR settings ->> 'rounds' !~ '^([1-9]|1[0-9]|20)$'
            THEN 'option "rounds" must be a whole number from 1 to 20'
        WHEN jsonb_typeof(settings -> 'keep') <> 'boolean' THEN 'option "keep" must be true or false'
        WHEN settings ? 'test' AND jsonb_typeof(settings -> 'test') <> 'string' THEN 'option "test" must be a query of text and label' END;
    wrong := coalesce(wrong, (SELECT format('option "%s" must be an object', k) FROM unnest('{train,prune,attack}'::text[]) k
                              WHERE jsonb_typeof(settings -> k) <> 'object' LIMIT 1),
        (SELECT format('option "%s" must be a number from 0 to 0.99', k) FROM unnest('{share,heads,neurons}'::text[]) k
         WHERE jsonb_typeof(settings -> k) <> 'number' OR (settings ->> k)::numeric NOT BETWEEN 0 AND 0.99 LIMIT 1),
        (SELECT format('option "%s" has no "%s"', k, m) FROM unnest('{train,prune}'::text[]) k, unnest('{base,method,task,share,heads,neurons}'::text[]) m
         WHERE (settings -> k) ? m LIMIT 1));
    IF wrong IS NULL AND settings @> '{"share": 0, "heads": 0, "neurons": 0}' THEN
        wrong := 'option "share", "heads" or "neurons" must be above 0';
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
    END IF;
    RETURN settings;
END $$;
COMMENT ON FUNCTION lmtext_internal.harden_options(jsonb) IS 'options of lmtext.harden, checked, with their defaults';

-- A round's row, of what lmtext.attack says of the version that came of it.
CREATE FUNCTION lmtext_internal.harden_row(round integer, version lmtext.models, zeros double precision, test text, settings jsonb) RETURNS jsonb
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
    WITH a AS (SELECT pg_catalog.jsonb_object_agg(t.measure, t.value) AS found
               FROM lmtext.attack(pg_catalog.concat(harden_row.version.model), harden_row.test, pg_catalog.jsonb_object_field(harden_row.settings, 'attack')) t),
         figures AS (SELECT pg_catalog.jsonb_build_object('round', harden_row.round, 'version', harden_row.version.version, 'zeros', harden_row.zeros,
                         'accuracy', pg_catalog.jsonb_object_field(a.found, 'accuracy'),
                         'accuracy_under_attack', pg_catalog.jsonb_object_field(a.found, 'accuracy_under_attack'),
                         'bytes', harden_row.version.bytes,
                         'ratio', pg_catalog.jsonb_extract_path(harden_row.version.metrics, 'compression', 'ratio')) AS f FROM a)
    SELECT f OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('met', (
        SELECT pg_catalog.bool_and(CASE WHEN t.key OPERATOR(pg_catalog.=) 'ratio'
                   THEN pg_catalog.jsonb_object_field_text(f, t.key)::pg_catalog.float8 OPERATOR(pg_catalog.<=) t.value::pg_catalog.float8
                   ELSE pg_catalog.jsonb_object_field_text(f, t.key)::pg_catalog.float8 OPERATOR(pg_catalog.>=) t.value::pg_catalog.float8 END)
        FROM pg_catalog.jsonb_each(pg_catalog.jsonb_object_field(harden_row.settings, 'target')) t))
    FROM figures
$$;
COMMENT ON FUNCTION lmtext_internal.harden_row(integer, lmtext.models, double precision, text, jsonb) IS 'figures of a round of lmtext.harden, and whether they meet the target';

-- Versions of `new` are the rounds' results; what is between them is under a name of its own, and dropped at the end. Rows are in an ordinary
-- table of the caller's.
CREATE PROCEDURE lmtext.harden(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    settings pg_catalog.jsonb := lmtext_internal.harden_options(harden.options);
    test pg_catalog.text := coalesce(pg_catalog.jsonb_object_field_text(settings, 'test'), harden.query);
    rounds pg_catalog.int4 := pg_catalog.jsonb_object_field_text(settings, 'rounds')::pg_catalog.int4;
    work pg_catalog.text;
    log pg_catalog.text;
    current pg_catalog.text := harden.model;
    taken pg_catalog.jsonb;
    found pg_catalog.jsonb;
BEGIN
    IF harden.new IS NULL OR harden.model IS NULL OR harden.query IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'arguments new, model and query of lmtext.harden must not be null';
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(pg_catalog.concat(p.part, CASE WHEN p.is_last THEN '_work' END)), '.' ORDER BY p.n),
           pg_catalog.string_agg(pg_catalog.quote_ident(pg_catalog.concat(p.part, CASE WHEN p.is_last THEN '_rounds' END)), '.' ORDER BY p.n)
    INTO work, log
    FROM (SELECT u.part, u.n, u.n OPERATOR(pg_catalog.=) pg_catalog.cardinality(i.parts) AS is_last
          FROM (SELECT pg_catalog.parse_ident(harden.new) AS parts) i, pg_catalog.unnest(i.parts) WITH ORDINALITY u (part, n)) p;
    IF NOT pg_catalog.jsonb_object_field_text(settings, 'keep')::pg_catalog.bool AND lmtext_internal.has_version(work) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = pg_catalog.format('model "%s" already exists', work),
            HINT = 'The versions between rounds would be under this name and dropped at the end: drop it before, or set the option "keep".';
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.harden', test)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of lmtext.harden must have two columns, text and label';
    END IF;
    EXECUTE pg_catalog.format('CREATE TABLE IF NOT EXISTS %s (round integer NOT NULL, version integer NOT NULL, accuracy double precision, accuracy_under_attack double precision, '
        'zeros double precision, bytes bigint, ratio double precision, met boolean, finished_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())', log);
    FOR round IN 1 .. rounds LOOP
        CALL lmtext.train(work, harden.query, '{"adversarial": {"kind": "fgm"}}'::pg_catalog.jsonb OPERATOR(pg_catalog.||) pg_catalog.jsonb_object_field(settings, 'train')
            OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('method', 'finetune', 'base', current));
        current := lmtext_internal.newest_version(work);
        -- A little more is taken away in each round.
        SELECT pg_catalog.jsonb_object_agg(k, pg_catalog.float8div(pg_catalog.float8mul(pg_catalog.jsonb_object_field_text(settings, k)::pg_catalog.float8, round), rounds))
        INTO taken FROM pg_catalog.unnest('{share,heads}'::pg_catalog.text[]) k;
        -- Neurons are gone from one round to the next: of what is left another part.
        taken := taken OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('neurons', pg_catalog.float8mi(1, pg_catalog.dpow(
            pg_catalog.float8mi(1, pg_catalog.jsonb_object_field_text(settings, 'neurons')::pg_catalog.float8), pg_catalog.float8div(1, rounds))));
        CALL lmtext.prune(work, current, harden.query, pg_catalog.jsonb_object_field(settings, 'prune') OPERATOR(pg_catalog.||) taken);
        current := lmtext_internal.newest_version(work);
        CALL lmtext.compress(harden.new, current);
        found := lmtext_internal.harden_row(round, lmtext_internal.version_of(lmtext_internal.newest_version(harden.new)),
            pg_catalog.jsonb_object_field_text((lmtext_internal.version_of(current)).metrics, 'zeros')::pg_catalog.float8, test, settings);
        EXECUTE pg_catalog.format('INSERT INTO %s (round, version, accuracy, accuracy_under_attack, zeros, bytes, ratio, met) '
            'SELECT r.* FROM pg_catalog.jsonb_to_record($1) r (round integer, version integer, accuracy double precision, accuracy_under_attack double precision, '
            'zeros double precision, bytes bigint, ratio double precision, met boolean)', log) USING found;
        EXIT WHEN pg_catalog.jsonb_object_field_text(found, 'met')::pg_catalog.bool;
    END LOOP;
    IF NOT pg_catalog.jsonb_object_field_text(found, 'met')::pg_catalog.bool THEN
        RAISE WARNING USING MESSAGE = pg_catalog.format('the target was not met in %s rounds', rounds), HINT = pg_catalog.format('See %s.', log);
    END IF;
    IF NOT pg_catalog.jsonb_object_field_text(settings, 'keep')::pg_catalog.bool THEN
        PERFORM lmtext.drop_model(work);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext.harden(text, text, text, jsonb) IS
    'make a classifier small and robust in rounds: train against noise, prune, quantise and code, attack, until a target is met; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.harden(text, text, text, jsonb) FROM PUBLIC;
