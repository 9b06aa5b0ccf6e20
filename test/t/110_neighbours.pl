# 110_neighbours.pl - beside other extensions that have operators of the same names: whatever the order of
# installation, the schemas and the search_path, each extension's operators mean what they meant, and an
# expression that mixes pgvector's types with embeddings uses the HNSW index or is an error with a hint.
use strict;
use warnings;

use Lmtext;

my $node = start_node('neighbours');
my $here = value("SELECT string_agg(name, ' ') FROM pg_available_extensions WHERE name IN ('vector', 'pg_trgm', 'cube')");
my %has = map { $_ => 1 } split / /, $here;
note("PostgreSQL " . $node->pg_version . ", neighbours: $here");
ok(%has, 'there is an extension to stand beside');

# Statement => result, 'error STATE', or 'index' where EXPLAIN must show HNSW.
my @with_vector = (
    [ q{SELECT id FROM item ORDER BY v <=> lmtext.embed('q') LIMIT 1}, 'index' ],
    [ q{SELECT id FROM item ORDER BY lmtext.embed('q') <=> v LIMIT 1}, 'index' ],
    [ q{SELECT id FROM item ORDER BY v <=> lmtext.embed('q')::vector LIMIT 1}, 'index' ],
    [ q{SELECT id FROM item ORDER BY v <-> lmtext.embed('q') LIMIT 1}, 'index' ],
    [ q{SELECT id FROM item ORDER BY v <#> lmtext.embed('q') LIMIT 1}, 'index' ],
    [ q{SELECT id FROM item ORDER BY h <=> lmtext.embed('q') LIMIT 1}, 'error 42883' ],
    [ q{SELECT id FROM item ORDER BY h <=> lmtext.embed('q')::halfvec LIMIT 1}, 'index' ],
    [ q{SELECT '[1,2]'::vector <=> '[2,1]' < 0.21}, 't' ],
    [ q{SELECT '[1,2]'::vector <-> '[1,2]'}, '0' ],
    [ q{SELECT '{1,2}'::real[] <=> '{1,2}'}, '0' ],
    [ q{SELECT pg_typeof('[1,2]'::vector + '[1,2]')::text ~ 'vector'}, 't' ],
    [ q{INSERT INTO item SELECT 1000, 'x', e, e, e FROM lmtext.embed('x') e RETURNING v = e::vector AND h = e::halfvec}, 't' ],
    [ q{DELETE FROM item WHERE id = 1000 RETURNING id}, '1000' ],
);
# The text operators of lmtext and the vector operators do not see each other.
my @always = (
    [ q{SELECT 'one'::text <=> 'one'::text < 1e-6}, 't' ],
    [ q{SELECT 'one' <=> 'one' < 1e-6}, 't' ],
    [ q{SELECT lmtext.distance('one', 'one') < 1e-6}, 't' ],
    [ q{SELECT '{3,4}'::real[] <-> '{0,0}'}, '5' ],
    [ q{SELECT '{3,4}'::real[] <#> '{1,1}'}, '-7' ],
);
my %own = (
    pg_trgm => [ [ q{SELECT 'word'::text <-> 'word'::text}, '0' ], [ q{SELECT 'word' % 'word'}, 't' ] ],
    cube => [
        [ q{SELECT cube(0) <-> cube(3)}, '3' ],
        [ q{SELECT cube(0) <#> cube(3)}, '3' ],
        [ q{SELECT cube(0) <=> cube(3)}, '3' ],
    ],
);

sub check_statements
{
    my ($database, $path, $label, @statements) = @_;
    for my $row (@statements)
    {
        my ($sql, $wanted) = @$row;
        my $set = "SET search_path = $path; SET lmtext.embedding_model = 'models.tiny';
            SET client_min_messages = error; SET enable_seqscan = off; SET enable_sort = off;";
        my $got = '';
        if ($wanted =~ /^error/)
        {
            $got = 'error ' . state_of("$set $sql", $database);
        }
        elsif ($wanted eq 'index')
        {
            $got = value("$set EXPLAIN (COSTS off) $sql", $database) =~ /Index Scan using item_\w+_idx\d* on item/
              ? 'index' : 'no index';
        }
        else
        {
            $got = value("$set $sql", $database);
        }
        is($got, $wanted, "$label: $sql");
    }
    return;
}

# The schema of lmtext's operators, that of the neighbours, who comes first, and a search_path for statements.
my @arrangements = (
    [ 'public', 'public', 'lmtext', 'public' ],
    [ 'public', 'public', 'neighbours', 'public' ],
    [ 'ours', 'theirs', 'lmtext', 'ours, theirs, public' ],
    [ 'ours', 'theirs', 'neighbours', 'theirs, ours, public' ],
    [ 'public', 'theirs', 'neighbours', 'public, theirs' ],
    [ 'ours', 'public', 'lmtext', '"$user", public, ours' ],
);

my $number = 0;
for my $arrangement (@arrangements)
{
    my ($ours, $theirs, $first, $path) = @$arrangement;
    my $database = 'arrangement' . ++$number;
    my $label = "$first first, lmtext in $ours, others in $theirs, path $path";
    my $lmtext = "CREATE EXTENSION lmtext SCHEMA $ours;";
    my $others = join '', map { "CREATE EXTENSION $_ SCHEMA $theirs;" } sort keys %has;
    value("CREATE DATABASE $database");
    value('CREATE SCHEMA IF NOT EXISTS ours; CREATE SCHEMA IF NOT EXISTS theirs; CREATE SCHEMA models;'
          . ($first eq 'lmtext' ? "$lmtext $others" : "$others $lmtext")
          . "SELECT lmtext.import_model('models.tiny', '$tiny');", $database);
    check_statements($database, $path, $label, @always);
    check_statements($database, $path, $label, @{ $own{$_} }) for grep { $has{$_} } sort keys %own;
    next unless $has{vector};
    value(qq{SET search_path = $path; SET lmtext.embedding_model = 'models.tiny';
        CREATE TABLE public.item (id int, body text, v vector(36), h halfvec(36), e real[]);
        INSERT INTO public.item SELECT i, i::text, e, e, e FROM generate_series(1, 200) i, lmtext.embed('text ' || i) e;
        CREATE INDEX ON public.item USING hnsw (v vector_cosine_ops); CREATE INDEX ON public.item USING hnsw (v vector_l2_ops);
        CREATE INDEX ON public.item USING hnsw (v vector_ip_ops); CREATE INDEX ON public.item USING hnsw (h halfvec_cosine_ops);},
        $database);
    check_statements($database, $path, $label, @with_vector);

    # Only pgvector's operators are on the path: no silent sequential scan over a cast column.
    my ($status, $out, $err) = $node->psql($database, "SET search_path = $theirs;
        SET lmtext.embedding_model = 'models.tiny';
        SELECT id FROM public.item ORDER BY v <=> lmtext.embed('q') LIMIT 1")
      if $ours ne $theirs && $path !~ /\$user/;
    like($err, qr/operator does not exist.*HINT:.*cast/s, "$label: an error with a hint without our operators")
      if defined $err;
}
safe('after all arrangements');

# Ours on the path alone: pgvector's operator is used by its own schema, or it is an error that says so.
if ($has{vector})
{
    my $plan = value(q{SET search_path = ours; SET lmtext.embedding_model = 'models.tiny'; SET enable_seqscan = off;
        EXPLAIN (COSTS off) SELECT id FROM public.item ORDER BY v <=> lmtext.embed('q') LIMIT 1}, 'arrangement3');
    like($plan, qr/Index Scan/, "pgvector's schema need not be on the path");

    # What goes away takes nothing of the other's along.
    value('DROP EXTENSION vector CASCADE', 'arrangement1');
    check_statements('arrangement1', 'public', 'without pgvector', @always);
    is(state_of('DROP EXTENSION lmtext', 'arrangement2'), '2BP01', 'models keep the extension');
    value('DROP EXTENSION lmtext CASCADE', 'arrangement2');
    is(value(q{SELECT '[1,2]'::vector <-> '[1,2]'}, 'arrangement2'), '0', 'without lmtext');
    is(value('SELECT count(*) FROM item', 'arrangement2'), '200', 'columns of vectors stay');
}
done();
