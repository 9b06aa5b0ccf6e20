-- 78-tune: what a training came to, and the search for the options of one.

CREATE FUNCTION lmtext.fit_report(model text) RETURNS TABLE (measure text, value jsonb)
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 12 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    loss pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'loss');
    held_out pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'held_out_loss');
    accuracy pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'train_accuracy');
    held_out_accuracy pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'held_out_accuracy');
    curve pg_catalog.jsonb := pg_catalog.jsonb_object_field(version.metrics, 'curve');
    labels pg_catalog.int4 := pg_catalog.cardinality(version.labels);
    verdict pg_catalog.text;
BEGIN
    IF pg_catalog.jsonb_object_field(version.metrics, 'train_seconds') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('model "%s@%s" was not trained here', version.name, version.version),
            DETAIL = 'How it was fitted is not known.';
    END IF;
    verdict := lmtext_internal.fit_verdict(labels, loss, held_out,
        (SELECT pg_catalog.min(v::pg_catalog.float8) FROM pg_catalog.jsonb_array_elements_text(pg_catalog.jsonb_object_field(curve, 'held_out_loss')) v),
        accuracy, held_out_accuracy);
    RETURN QUERY SELECT m.name, m.value FROM (VALUES
        (1, 'rows', pg_catalog.jsonb_object_field(version.metrics, 'rows')),
        (2, 'held_out', pg_catalog.jsonb_object_field(version.metrics, 'held_out')),
        (3, 'loss', pg_catalog.to_jsonb(loss)),
        (4, 'held_out_loss', pg_catalog.to_jsonb(held_out)),
        (5, 'gap', pg_catalog.to_jsonb(pg_catalog.round(pg_catalog.float8mi(held_out, loss)::pg_catalog."numeric", 6))),
        (6, 'train_accuracy', pg_catalog.to_jsonb(accuracy)),
        (7, 'held_out_accuracy', pg_catalog.to_jsonb(held_out_accuracy)),
        (8, 'accuracy_gap', pg_catalog.to_jsonb(pg_catalog.round(pg_catalog.float8mi(accuracy, held_out_accuracy)::pg_catalog."numeric", 6))),
        (9, 'steps', pg_catalog.jsonb_object_field(curve, 'step')),
        (10, 'train_curve', pg_catalog.jsonb_object_field(curve, 'loss')),
        (11, 'held_out_curve', pg_catalog.jsonb_object_field(curve, 'held_out_loss')),
        (12, 'verdict', pg_catalog.to_jsonb(verdict))) m (place, name, value)
    WHERE m.value IS NOT NULL ORDER BY m.place;
END $$;
COMMENT ON FUNCTION lmtext.fit_report(text) IS
    'how a model that was trained here fits: losses, their curves, their gap, and a verdict: over-fit, under-fit, fine or unknown';

-- By losses where both are known, else by accuracies. Guessing among n labels has a loss of ln(n).
CREATE FUNCTION lmtext_internal.fit_verdict(labels integer, loss double precision, held_out double precision, best_held_out double precision,
                                            accuracy double precision, held_out_accuracy double precision) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN loss IS NOT NULL AND held_out IS NOT NULL THEN CASE
            WHEN loss > ln(labels) / 2 THEN 'under-fit'
            WHEN held_out - best_held_out > greatest(0.05, 0.05 * best_held_out) OR (held_out > 2 * loss AND held_out - loss > 0.1) THEN 'over-fit'
            ELSE 'fine' END
        WHEN accuracy IS NOT NULL AND held_out_accuracy IS NOT NULL THEN CASE
            WHEN accuracy < (1 + 1.0 / labels) / 2 THEN 'under-fit'
            WHEN accuracy - held_out_accuracy > 0.1 THEN 'over-fit'
            ELSE 'fine' END
        ELSE 'unknown' END
$$;
COMMENT ON FUNCTION lmtext_internal.fit_verdict(integer, double precision, double precision, double precision, double precision, double precision) IS
    'the verdict of lmtext.fit_report';

CREATE PROCEDURE lmtext.tune(name text, query text, space jsonb, trials integer DEFAULT 20)
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_tune';
COMMENT ON PROCEDURE lmtext.tune(text, text, jsonb, integer) IS
    'train with options from a space, by a search, and store the best trial as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.tune(text, text, jsonb, integer) FROM PUBLIC;
