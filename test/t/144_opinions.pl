# 144_opinions.pl - the worked example of docs/opinions.md: its view and its alert. A replay of 30 days of 10,000 comments with
# three surges, whose labels are drawn with the errors of the classifiers, and a smaller one in which models, jobs, view, alert
# and NOTIFY are real.
use strict;
use warnings;

use Lmtext;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;

my $node = start_node('opinions', conf => "max_connections = 20\n");
value('CREATE EXTENSION lmtext');

# The view of the manual; the replay is of days that are gone.
my $page = slurp_file(dirname(__FILE__) . '/opinions.md');
my ($view) = $page =~ /^(CREATE VIEW opinion AS\n.*?;)$/ms or die 'docs/opinions.md has no view';
my ($alert) = $page =~ /^(SELECT lmtext\.create_alert\('complaints',.*?;)$/ms or die 'docs/opinions.md has no alert';
my ($threshold) = $alert =~ /'surge >= (\d+)'/ or die 'the alert has no threshold';
(my $past = $view) =~ s/at > now\(\) - interval '8 days' AND // or die 'the view has no bound';

# ---- The figures ----

# What is drawn comes of hashes, which are the same everywhere. One comment in ten has the wrong topic, one in eight the wrong
# sentiment; a share wobbles by .04 from day to day. In a surge twice as many write, and seven in ten complain.
my $replay = <<'SQL';
CREATE FUNCTION u(i bigint, k int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ((hashint8extended(i, k) >> 12) & ((1::bigint << 50) - 1))::float8 / (1::bigint << 50)::float8 $$;
CREATE TABLE comment (at timestamptz, topic text, sentiment text);
CREATE TABLE surge (topic int, day int, first int, after int);
INSERT INTO surge VALUES (0, 10, 14, 18), (3, 17, 9, 12), (4, 24, 20, 23);
CREATE TABLE hours AS SELECT array_agg(below ORDER BY h) AS below FROM (
    SELECT h, sum(1 - .85 * cos(2 * pi() * (h - 3) / 24)) OVER (ORDER BY h) / 24 AS below FROM generate_series(0, 22) h) x;
SQL
my $draw = <<'SQL';
INSERT INTO comment
SELECT '2026-06-01 00:00+00'::timestamptz + make_interval(days => day, hours => hour, secs => 3600 * u(i, seed + 3)),
    ('{delivery,price,support,app,shop}'::text[])[1 + CASE WHEN u(i, seed + 5) < .1 THEN width_bucket(u(i, seed + 6), topics) ELSE topic END],
    CASE WHEN (u(i, seed + 7) < share) = (u(i, seed + 8) < .875) THEN 'negative' ELSE 'positive' END
FROM (
    SELECT i + copy * 1000000 AS i, d.day, hour, d.topic, topics, seed,
        CASE WHEN first IS NULL THEN ('{.25,.3,.2,.25,.15}'::float8[])[1 + d.topic] + .04 * (u(d.day * 5 + d.topic, seed + 4) - .5) ELSE .7 END AS share
    FROM (SELECT i, i / 10000 AS day, width_bucket(u(i, seed + 1), below) AS hour, width_bucket(u(i, seed + 2), topics) AS topic, topics, seed
        FROM generate_series(0, 299999) i, hours, (VALUES ('{.3,.55,.75,.9}'::float8[], SEED * 10)) v (topics, seed)) d
    LEFT JOIN surge s ON s.topic = d.topic AND s.day = d.day AND hour >= first AND hour < after,
    LATERAL generate_series(0, CASE WHEN first IS NULL THEN 0 ELSE 1 END) copy) c
SQL

# What a check every ten minutes sees: of the running window what is there, of its base all.
my $looks = <<"SQL";
CREATE VIEW alarm AS
SELECT topic, hour, min(minute) AS minute FROM (
    SELECT topic, hour, minute, sum(negative) OVER so_far::bigint AS negative, sum(total) OVER so_far::bigint AS total
    FROM (SELECT topic, date_bin('1 hour', at, '2000-01-01 00:00+00') AS hour, 10 + 10 * (extract(minute FROM at)::int / 10) AS minute,
            count(*) FILTER (WHERE sentiment = 'negative') AS negative, count(*) AS total
        FROM comment GROUP BY 1, 2, 3) slices
    WINDOW so_far AS (PARTITION BY topic, hour ORDER BY minute)) l
JOIN (SELECT topic, hour, base_negative, base_total FROM opinion) o USING (topic, hour)
WHERE lmtext.surge(negative, total, base_negative, base_total) >= $threshold GROUP BY 1, 2;
CREATE VIEW surge_hour AS SELECT n, (ARRAY['delivery','price','support','app','shop'])[1 + topic] AS topic,
    '2026-06-01 00:00+00'::timestamptz + make_interval(days => day, hours => hour) AS hour, hour - first AS late
    FROM (SELECT *, row_number() OVER (ORDER BY day) AS n FROM surge) s, LATERAL generate_series(first, after - 1) hour;
SQL
value("$replay $past $looks");

# Minutes after which the three surges were first seen, and false alarms of each week.
sub figures
{
    my ($seed) = @_;
    (my $drawn = $draw) =~ s/SEED/$seed/;
    value("TRUNCATE comment; $drawn");
    return value(q{SELECT (SELECT string_agg(coalesce(60 * late + minute, 9999)::text, ' ' ORDER BY n)
            FROM (SELECT DISTINCT ON (n) n, late, minute FROM surge_hour LEFT JOIN alarm USING (topic, hour) ORDER BY n, minute IS NULL, late) f),
        (SELECT string_agg(alarms::text, ' ' ORDER BY week) FROM (SELECT week, count(hour) AS alarms FROM generate_series(0, 4) week
            LEFT JOIN (SELECT a.hour FROM alarm a WHERE NOT EXISTS (SELECT FROM surge_hour s WHERE s.topic = a.topic AND s.hour = a.hour)) f
                ON week = extract(day FROM f.hour - '2026-06-01 00:00+00')::int / 7 GROUP BY week) w)});
}

for my $seed (1 .. effort(2, 5, 30))
{
    my ($minutes, $weeks) = map { [ split / / ] } split /\|/, figures($seed);
    is(scalar(grep { $_ <= 60 } @$minutes), 3, "seed $seed: three surges are seen within one window, after @$minutes minutes");
    is(scalar(grep { $_ <= 1 } @$weeks), 5, "seed $seed: at most one false alarm a week: @$weeks");
}

# ---- The real path ----

# Comments are of a few texts, which random weights tell apart.
value('CREATE DATABASE shop');
value(<<"SQL", 'shop');
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
CREATE TABLE labelled (body text, topic text, sentiment text);
INSERT INTO labelled VALUES ('the parcel is late', 'delivery', 'negative'), ('a fast and friendly courier', 'delivery', 'positive'),
    ('far too expensive', 'price', 'negative'), ('what a good offer', 'price', 'positive');
CALL lmtext.train('topic', 'SELECT body, topic FROM labelled, generate_series(1, 10)', '{"base": "m", "hold_out": 0}');
CALL lmtext.train('sentiment', 'SELECT body, sentiment FROM labelled, generate_series(1, 10)', '{"base": "m", "hold_out": 0}');
CREATE TABLE comment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, body text NOT NULL);
SELECT lmtext.create_job(c, 'comment', 'body', 'classify', c, c) FROM unnest('{topic,sentiment}'::text[]) c;
SELECT lmtext.attach('topic'), lmtext.attach('sentiment');
$view $alert
SQL
is(value(q{SELECT lmtext.accuracy(topic, lmtext.classify(body, 'topic')), lmtext.accuracy(sentiment, lmtext.classify(body, 'sentiment')) FROM labelled}, 'shop'),
    '1|1', 'the classifiers know their texts');

my $now = value(q{SELECT date_bin('1 hour', now(), '2000-01-01 00:00+00')});
my $minute = 0;

# So many comments a minute later, of a topic and a sentiment, and then what is done every few minutes.
sub comments
{
    my ($count, $topic, $sentiment, $end) = @_;
    $minute++;
    value("BEGIN; INSERT INTO comment (at, body) SELECT '$now'::timestamptz + interval '$minute minutes', body
        FROM labelled, generate_series(1, $count) WHERE topic = '$topic' AND sentiment = '$sentiment'; " . ($end // 'COMMIT'), 'shop');
    return checked();
}

sub checked
{
    return value(q{CALL lmtext.run_job('topic'); CALL lmtext.run_job('sentiment'); CALL lmtext.check_alerts()}, 'shop');
}

value("INSERT INTO comment (at, body) SELECT '$now'::timestamptz - i * interval '1 hour', body
    FROM labelled, generate_series(1, 48) i, generate_series(1, CASE sentiment WHEN 'negative' THEN 1 ELSE 3 END)", 'shop');
checked();
is(value('SELECT count(*), count(*) FILTER (WHERE base_share = .25 AND surge = 0) FROM opinion', 'shop'), '96|94', 'two days of hours, each like those before');
is(value('SELECT count(*) FROM lmtext.alerts', 'shop'), 0, 'are quiet');
my $listener = session('shop');
$listener->query('LISTEN lmtext');
comments(@$_) for [ 3, 'price', 'positive' ], [ 1, 'price', 'negative' ], [ 4, 'delivery', 'positive' ], [ 1, 'delivery', 'negative' ];
comments(40, 'delivery', 'negative', 'ROLLBACK');
is(value('SELECT count(*) FROM comment WHERE topic IS NULL OR sentiment IS NULL', 'shop'), 0, 'the jobs have done what has come');
unlike($listener->query('SELECT 1'), qr/"event": "alert"/, 'which is as ever, and what was rolled back says nothing');
comments(6, 'price', 'negative') for 1 .. 3;
my @alerts = $listener->query('SELECT 1') =~ /payload "(.*"event": "alert".*)" received/g;
is(scalar(@alerts), 1, 'a surge is heard of, once');
like($alerts[0], qr/"topic": "price".*"name": "complaints"/, 'by its topic');
is(value(q{SELECT row->>'topic', (row->>'hour')::timestamptz = '} . $now . q{', (row->>'surge')::float8 >= 4, holds FROM lmtext.alerts}, 'shop'), 'price|t|t|t', 'in its window');
comments(30, 'price', 'positive');
is(value('SELECT holds FROM lmtext.alerts', 'shop'), 'f', 'praise ends it');
$listener->quit;
safe('replays');
done();
