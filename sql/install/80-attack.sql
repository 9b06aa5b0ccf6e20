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
