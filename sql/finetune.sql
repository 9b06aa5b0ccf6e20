-- Encoders trained further: a base's files, the rows of a query, and the model that comes of them.
\getenv build LMTEXT_BUILD
\set VERBOSITY terse
\getenv models LMTEXT_MODELS_TINY
