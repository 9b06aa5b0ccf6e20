/*
 * router.c - the settings of a Router, and the routes of texts as the library resolves them: an
 * entry of route_mappings, the route of the task's name, that named "text", the default.
 */
#include "format/router.h"

#include <stdio.h>
#include <string.h>

#include "format/sentence_keys.h"

#define ROUTER_FILE "router_config.json"
#define OLDER_FILE "config.json"
#define ROUTER_LIMIT (256 * LM_KB)

/* As the library calls the sides. */
static const char *const tasks[LM_SIDE_COUNT] = {NULL, "query", "document"};

bool
lm_router_is(const lm_json *type)
{
    const char *dot;

    if (!type || type->type != LM_JSON_STRING)
        return false;
    dot = strrchr(type->as.string.bytes, '.');
    return dot && (strcmp(dot, ".Router") == 0 || strcmp(dot, ".Asym") == 0);
}

lm_status
lm_router_find(const lm_reader *r, const char *folder, const char **file)
{
    bool found = false;

    LM_TRY(lm_source_join(r->ctx, r->arena, folder, ROUTER_FILE, file));
    LM_TRY(lm_reader_exists(r, *file, &found));
    return found ? LM_OK : lm_source_join(r->ctx, r->arena, folder, OLDER_FILE, file);
}

/* ---- Which route ---- */

/* A key of route_mappings with one kind of quotes and without spaces. */
static void
plain_key(const char *key, char *out, size_t room)
{
    size_t used = 0;

    for (; *key && used + 1 < room; key++)
        if (*key != ' ')
            out[used++] = *key == '"' ? '\'' : *key;
    out[used] = '\0';
}

/* What route_mappings has for a task and a kind of input, which may be NULL: any. */
static const lm_json *
mapped(const lm_json *mappings, const char *task, const char *modality)
{
    char wanted[64], key[64];
    const char *quote = task ? "'" : "", *other = modality ? "'" : "";

    snprintf(wanted, sizeof wanted, "(%s%s%s,%s%s%s)", quote, task ? task : "None", quote, other,
             modality ? modality : "None", other);
    for (const lm_json *item = mappings ? mappings->as.items.first : NULL; item;
         item = item->next) {
        plain_key(item->key, key, sizeof key);
        if (strcmp(key, wanted) == 0)
            return item;
    }
    return NULL;
}

/* In the library's order of precedence; NULL: none has been said. */
static const lm_json *
mapped_route(const lm_json *mappings, const char *task)
{
    const lm_json *found = mapped(mappings, task, "text");

    if (!found)
        found = mapped(mappings, task, NULL);
    if (!found)
        found = mapped(mappings, NULL, "text");
    return found ? found : mapped(mappings, NULL, NULL);
}

/* The modules of a route by its name; there must be such a route. */
static lm_status
route_named(const lm_members *s, const lm_router *router, const char *key, const char *name,
            const lm_json **route)
{
    *route = lm_json_get(router->routes, name);
    if (*route)
        return LM_OK;
    return lm_members_refuse(s, LM_BAD_MODEL, key, "the name of a route in structure");
}

/* The default: what the file says, or the first of the routes where that is allowed. */
static lm_status
default_route(const lm_members *parameters, const lm_router *router, const lm_json **route)
{
    const char *name = NULL;
    bool empty = true;

    *route = NULL;
    LM_TRY(lm_members_string(parameters, "default_route", &name));
    LM_TRY(lm_members_bool(parameters, "allow_empty_key", &empty));
    if (name)
        return route_named(parameters, router, "default_route", name, route);
    if (empty)
        *route = router->routes->as.items.first;
    return LM_OK;
}

/* The route that texts of a side take; NULL: none, which is an error where it is asked for. */
static lm_status
resolve(const lm_members *parameters, const lm_router *router, lm_side side, const lm_json **route)
{
    const lm_json *mapping =
        mapped_route(lm_members_get(parameters, "route_mappings"), tasks[side]);
    const char *name = NULL;

    LM_TRY(default_route(parameters, router, route));
    if (mapping) {
        LM_TRY(lm_members_string_of(parameters, mapping, &name));
        return route_named(parameters, router, "route_mappings", name ? name : "", route);
    }
    if (tasks[side] && lm_json_get(router->routes, tasks[side]))
        *route = lm_json_get(router->routes, tasks[side]);
    else if (lm_json_get(router->routes, "text"))
        *route = lm_json_get(router->routes, "text");
    else if (tasks[side])
        *route = NULL;
    return LM_OK;
}

/* Whether two routes are the same modules. */
static bool
are_equal(const lm_json *a, const lm_json *b)
{
    const lm_json *x = a->as.items.first, *y = b->as.items.first;

    while (x && y && x->type == LM_JSON_STRING && y->type == LM_JSON_STRING &&
           strcmp(x->as.string.bytes, y->as.string.bytes) == 0) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

static void
take(lm_router *router, lm_side side, const lm_json *route)
{
    int i = 0;

    router->of_side[side] = -1;
    if (!route)
        return;
    while (i < router->count && !are_equal(router->taken[i], route))
        i++;
    router->taken[i] = route;
    router->of_side[side] = i;
    router->count += i == router->count;
}

/* ---- Settings ---- */

/* Lists of names of modules, one for each route at least. */
static lm_status
check_routes(const lm_members *s, const lm_router *router)
{
    if (!router->types || router->types->type != LM_JSON_OBJECT)
        return lm_members_refuse(s, LM_BAD_MODEL, "types", "an object of class paths");
    if (!router->routes || router->routes->type != LM_JSON_OBJECT ||
        router->routes->as.items.count == 0)
        return lm_members_refuse(s, LM_BAD_MODEL, "structure", "an object of routes");
    for (const lm_json *route = router->routes->as.items.first; route; route = route->next)
        if (route->type != LM_JSON_ARRAY)
            return lm_members_refuse(s, LM_BAD_MODEL, "structure", "lists of modules");
    return LM_OK;
}

/* "(task, modality)" as Python shows it. */
static lm_status
check_mappings(const lm_members *parameters)
{
    const lm_json *mappings = lm_members_get(parameters, "route_mappings");

    if (mappings && mappings->type != LM_JSON_OBJECT)
        return lm_members_refuse(parameters, LM_BAD_MODEL, "route_mappings", "an object");
    for (const lm_json *item = mappings ? mappings->as.items.first : NULL; item; item = item->next)
        if (item->key[0] != '(' || item->key[strlen(item->key) - 1] != ')')
            return lm_members_refuse(parameters, LM_UNSUPPORTED, "route_mappings",
                                     "keys as \"('query', 'text')\"");
    return LM_OK;
}

static lm_status
read_parameters(const lm_members *s, const lm_json *json, lm_router *router)
{
    const lm_members parameters = {s->reader, s->file, json};

    if (json && json->type != LM_JSON_OBJECT)
        return lm_members_refuse(s, LM_BAD_MODEL, "parameters", "an object");
    LM_TRY(lm_keys_check(s->reader->ctx, s->reader->notes, s->file, "parameters.", json,
                         lm_route_keys));
    LM_TRY(check_mappings(&parameters));
    for (int side = 0; side < LM_SIDE_COUNT; side++) {
        const lm_json *route;

        LM_TRY(resolve(&parameters, router, (lm_side)side, &route));
        take(router, (lm_side)side, route);
    }
    if (router->count > 0)
        return LM_OK;
    return lm_members_refuse(s, LM_UNSUPPORTED, "structure",
                             "a route named query or document, or a default_route");
}

lm_status
lm_router_read(const lm_reader *r, const char *folder, lm_router *router)
{
    lm_members s = {r, NULL, NULL};
    lm_known_file file = {NULL, ROUTER_LIMIT};

    *router = (lm_router){.folder = folder};
    LM_TRY(lm_router_find(r, folder, &file.name));
    router->file = s.file = file.name;
    LM_TRY(lm_reader_json(r, &file, true, LM_JSON_OBJECT, &s.json));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s.file, "", s.json, lm_router_keys));
    router->types = lm_members_get(&s, "types");
    router->routes = lm_members_get(&s, "structure");
    LM_TRY(check_routes(&s, router));
    return read_parameters(&s, lm_members_get(&s, "parameters"), router);
}

lm_status
lm_router_module(const lm_reader *r, const lm_router *router, const lm_json *id,
                 const lm_json **type, const char **folder)
{
    const lm_members s = {r, router->file, router->types};
    const char *name = id->type == LM_JSON_STRING ? id->as.string.bytes : "structure";

    *type = id->type == LM_JSON_STRING ? lm_json_get(router->types, name) : NULL;
    if (!*type || (*type)->type != LM_JSON_STRING)
        return lm_members_refuse(&s, LM_BAD_MODEL, name,
                                 "a class path for each module of structure");
    return lm_source_join(r->ctx, r->arena, router->folder, name, folder);
}
