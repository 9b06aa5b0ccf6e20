"""Every way of SQL to embed a table, as a share of the bare engine's speed: SELECT, CREATE TABLE AS, UPDATE, COPY with the trigger."""
import common
import peers
from common import Work

PRECISIONS = ("fp32", "bf16", "int8")
GOAL = "32 tokens and more"
TEXTS = "texts"


def select(connection, model):
    connection.execute(f"SELECT lmtext.embed(body, '{model}') FROM {TEXTS}").fetchall()


def copy(connection, texts):
    """Into a table whose trigger embeds."""
    with connection.cursor().copy("COPY triggered (body) FROM STDIN") as rows:
        for text in texts:
            rows.write_row((text,))


def measure(connection, precision, name, texts, tokens, file):
    model = common.model_name(precision)
    common.load_texts(connection, TEXTS, texts)
    connection.execute("DROP TABLE IF EXISTS triggered")
    connection.execute("CREATE TABLE triggered (body text, e real[])")
    connection.execute("CREATE TRIGGER embed BEFORE INSERT ON triggered FOR EACH ROW "
                       f"EXECUTE FUNCTION lmtext.embed_trigger('body', 'e', '{model}@1')")
    works = {"the engine alone": Work(lambda: common.engine_seconds(precision, file)),
             "the engine, a text at a time": Work(lambda: common.engine_seconds(precision, file, batch_tokens=0)),
             "SELECT": Work(lambda: select(connection, model), connection),
             "CREATE TABLE AS": Work(lambda: common.create_table(connection, TEXTS, model), connection),
             "UPDATE": Work(lambda: common.update_table(connection, TEXTS, model), connection),
             "COPY with the trigger": Work(lambda: copy(connection, texts), connection)}
    times = common.interleaved(works, rounds=5)
    shares = {way: times["the engine alone"].cpu / times[way].cpu for way in works}
    for way in ("SELECT", "CREATE TABLE AS", "UPDATE", "COPY with the trigger") if name == GOAL else ():
        common.goal(f"{way} ÷ the engine, {precision}, texts of {name}", shares[way], least=.96)
    return (f"{precision}, {name}", len(texts), f"{tokens / len(texts):.0f}",
            f"{tokens / times['the engine alone'].cpu:,.0f}", *(f"{share:.2f}" for share in list(shares.values())[1:]))


def main():
    reference = peers.Torch()
    corpus = [(text, reference.tokens([text])) for text in common.corpus(600)]
    rows = []
    with common.prepare(PRECISIONS) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        for name, least, most in ((GOAL, 32, 256), ("32 to 48 tokens", 32, 48)):
            chosen = [one for one in corpus if least <= one[1] <= most][:200]
            texts, tokens = [text for text, _ in chosen], sum(count for _, count in chosen)
            with common.texts_file(texts) as file:
                for precision in PRECISIONS:
                    rows.append(measure(connection, precision, name, texts, tokens, file))
    common.table("Ways of SQL ÷ the engine in batches, processor time",
                 ("", "rows", "tokens a text", "engine, tokens/s", "engine, a text at a time", "SELECT", "CREATE TABLE AS", "UPDATE",
                  "COPY with the trigger"), rows)


if __name__ == "__main__":
    main()
