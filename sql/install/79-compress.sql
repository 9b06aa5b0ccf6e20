-- 79-compress: smaller models made of others.

CREATE PROCEDURE lmtext.compress(new text, model text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_compress';
COMMENT ON PROCEDURE lmtext.compress(text, text, jsonb) IS
    'create a model version that holds a model''s int8 codes alone, Huffman-coded, and computes what its int8 version computes; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.compress(text, text, jsonb) FROM PUBLIC;

-- What lmtext.prune and lmtext.distill have of their own in the options of lmtext.train: nobody else sets it.
CREATE FUNCTION lmtext_internal.options_on_model(entry text, options jsonb, own jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken text;
BEGIN
    IF own ->> 'base' IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = format('argument model of lmtext.%s must not be null', entry);
    END IF;
    IF jsonb_typeof(options) = 'object' THEN -- lmtext.train refuses others
        SELECT k INTO taken FROM jsonb_object_keys(options) k WHERE own ? k LIMIT 1;
    END IF;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('lmtext.%s has no option "%s"', entry, taken);
    END IF;
    RETURN options || own;
END $$;
COMMENT ON FUNCTION lmtext_internal.options_on_model(text, jsonb, jsonb) IS 'options of a training on a model, with those of the entry''s own, which nobody else may set';

-- A training by the method "prune": what it refuses and reports is lmtext.train's.
CREATE PROCEDURE lmtext.prune(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
BEGIN
    CALL lmtext.train(prune.new, prune.query, lmtext_internal.options_on_model('prune', prune.options,
        pg_catalog.jsonb_build_object('method', 'prune', 'base', prune.model)));
END $$;
COMMENT ON PROCEDURE lmtext.prune(text, text, text, jsonb) IS
    'take the smallest weights, heads or neurons of a classifier or tagger away, train what is left on the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.prune(text, text, text, jsonb) FROM PUBLIC;

-- A training by the method "distill", likewise.
CREATE PROCEDURE lmtext.distill(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
BEGIN
    CALL lmtext.train(distill.new, distill.query, lmtext_internal.options_on_model('distill', distill.options,
        pg_catalog.jsonb_build_object('task', 'classification', 'method', 'distill', 'base', distill.model)));
END $$;
COMMENT ON PROCEDURE lmtext.distill(text, text, text, jsonb) IS
    'train a student with fewer layers on what a classifier says of the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.distill(text, text, text, jsonb) FROM PUBLIC;
