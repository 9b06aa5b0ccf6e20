-- prepare.sql - what the isolation specs share; run once, before them: psql -v tiny=FOLDER -f prepare.sql
--
-- made('m', 2): model m with versions 1 and 2 of different weights, 1 deployed, nothing loaded.
-- tells('m'): which weights answer to a name now: first, second, third.
CREATE EXTENSION lmtext;
CREATE ROLE lmtext_reader;
CREATE TABLE weights (number int PRIMARY KEY, word text, folder text, sha256 text);
INSERT INTO weights (number, word, folder) VALUES
    (1, 'first', :'tiny' || '/bert'), (2, 'second', :'tiny' || '/bert-silu'), (3, 'third', :'tiny' || '/bert-tanh');
CREATE TABLE doc (id int PRIMARY KEY, body text, answer text);
INSERT INTO doc SELECT i, 'text number ' || i FROM generate_series(1, 4) i;

-- Numbers begin anew, which nobody but a test wants.
CREATE FUNCTION gone(model text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE version regclass;
BEGIN
    FOR version IN SELECT c.oid FROM pg_class c WHERE c.relname LIKE model || '@%' AND c.relkind = 'r' LOOP
        BEGIN
            PERFORM lmtext.unload_model(version);
        EXCEPTION WHEN OTHERS THEN NULL; -- a table without a manifest
        END;
        EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', version);
    END LOOP;
    DELETE FROM lmtext.model_name n WHERE n.model = gone.model;
END $$;

CREATE FUNCTION add(model text, number int) RETURNS int LANGUAGE sql AS
    $$SELECT lmtext.import_model(model, w.folder) FROM weights w WHERE w.number = add.number$$;

-- What an earlier permutation has left as it should be is kept: importing takes longer than most of them.
CREATE FUNCTION made(model text, versions int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) = versions AND bool_and(m.sha256 = w.sha256 AND c.relacl IS NULL AND NOT EXISTS
            (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL))
        FROM lmtext.models m JOIN pg_class c ON c.oid = m.model LEFT JOIN weights w ON w.number = m.version
        WHERE m.name = made.model) THEN
        PERFORM lmtext.unload_model(m.model) FROM lmtext.models m WHERE m.name = made.model;
        UPDATE lmtext.model_name n SET deployed = 1, last_version = versions WHERE n.model = made.model;
        RETURN;
    END IF;
    PERFORM gone(model);
    FOR i IN 1 .. versions LOOP
        PERFORM add(model, i);
    END LOOP;
END $$;

SELECT made('known', 3);
CREATE TABLE answers AS
    SELECT body, w.word, lmtext.embed(body, 'known@' || w.number) AS vector
    FROM (SELECT body FROM doc UNION ALL VALUES ('a text')) d, weights w;
UPDATE weights w SET sha256 = m.sha256 FROM lmtext.models m WHERE m.name = 'known' AND m.version = w.number;
SELECT gone('known');
GRANT SELECT ON answers, doc TO lmtext_reader;

-- Plain SQL: computed in the snapshot of the statement that calls.
CREATE FUNCTION word_of(body text, vector real[]) RETURNS text STABLE STRICT LANGUAGE sql AS
    $$SELECT coalesce((SELECT a.word FROM answers a WHERE a.body = $1 AND a.vector = $2), 'NONE OF THEM')$$;
CREATE FUNCTION tells(model text) RETURNS text STABLE LANGUAGE sql AS
    $$SELECT word_of('a text', lmtext.embed('a text', model))$$;
-- What is left of versions that are gone is given back by the next load, by whichever session.
CREATE FUNCTION pins() RETURNS TABLE (version text, state text, pins bigint) LANGUAGE sql AS
    $$SELECT version, state, pins FROM lmtext.model_cache WHERE version IS NOT NULL OR pins > 0 ORDER BY 1, 2$$;
-- Rows after the first wait while another session holds advisory lock 1.
CREATE FUNCTION held(id int) RETURNS boolean VOLATILE LANGUAGE sql AS
    $$SELECT CASE WHEN id > 1 THEN pg_advisory_xact_lock_shared(1) IS NOT NULL ELSE true END$$;
