-- 79-compress: smaller models made of others.

CREATE PROCEDURE lmtext.compress(new text, model text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_compress';
COMMENT ON PROCEDURE lmtext.compress(text, text, jsonb) IS
    'create a model version that holds a model''s int8 codes alone, Huffman-coded, and computes what its int8 version computes; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.compress(text, text, jsonb) FROM PUBLIC;

-- A training by the method "prune", likewise.
CREATE PROCEDURE lmtext.prune(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    own pg_catalog.text;
BEGIN
    IF prune.model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument model of lmtext.prune must not be null';
    END IF;
    IF pg_catalog.jsonb_typeof(prune.options) OPERATOR(pg_catalog.=) 'object' THEN -- lmtext.train refuses others
        SELECT k INTO own FROM pg_catalog.jsonb_object_keys(prune.options) k WHERE k OPERATOR(pg_catalog.=) ANY ('{base,method}'::pg_catalog.text[]) LIMIT 1;
    END IF;
    IF own IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('lmtext.prune has no option "%s"', own);
    END IF;
    CALL lmtext.train(prune.new, prune.query,
        prune.options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('method', 'prune', 'base', prune.model));
END $$;
COMMENT ON PROCEDURE lmtext.prune(text, text, text, jsonb) IS
    'take the smallest weights, heads or neurons of a classifier or tagger away, train what is left on the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.prune(text, text, text, jsonb) FROM PUBLIC;

-- A training by the method "distill": what it refuses and reports is lmtext.train's.
CREATE PROCEDURE lmtext.distill(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    own pg_catalog.text;
BEGIN
    IF distill.model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument model of lmtext.distill must not be null';
    END IF;
    IF pg_catalog.jsonb_typeof(distill.options) OPERATOR(pg_catalog.=) 'object' THEN -- lmtext.train refuses others
        SELECT k INTO own FROM pg_catalog.jsonb_object_keys(distill.options) k WHERE k OPERATOR(pg_catalog.=) ANY ('{base,method,task}'::pg_catalog.text[]) LIMIT 1;
    END IF;
    IF own IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('lmtext.distill has no option "%s"', own);
    END IF;
    CALL lmtext.train(distill.new, distill.query,
        distill.options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('task', 'classification', 'method', 'distill', 'base', distill.model));
END $$;
COMMENT ON PROCEDURE lmtext.distill(text, text, text, jsonb) IS
    'train a student with fewer layers on what a classifier says of the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.distill(text, text, text, jsonb) FROM PUBLIC;
