/* bind_time.c: host.time. Calendar arithmetic is done on the civil calendar; zones come from the
 * system's tz database. */
#include "bind/bind.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What ISO 8601 can write with four digits. */
static const double YEAR_0_S = -62167219200, YEAR_10000_S = 253402300800;

static int64_t days_from_civil(int64_t year, int month, int day)
{
    /* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool is_calendar_date(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month - 1] + (month == 2 && leap);
}

static bool is_readable_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, R_OK) == 0;
}

/* Make the C library's local zone the one asked for. Lua runs on one thread, and nothing else here
 * uses it. */
static void select_zone(lua_State *L, const char *zone)
{
    static char selected[64];
    char path[128];

    if (strcmp(zone, selected) == 0)
        return;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    if (strstr(zone, "..") || strlen(zone) >= sizeof selected || !is_readable_file(path))
        luaL_error(L, "unknown time zone '%s' (an IANA name like Europe/Moscow)", zone);
    setenv("TZ", zone, 1);
    tzset();
    snprintf(selected, sizeof selected, "%s", zone);
}

static struct tm local_parts(lua_State *L, double seconds, const char *zone)
{
    struct tm parts;
    if (!(seconds >= YEAR_0_S && seconds < YEAR_10000_S))
        luaL_error(L, "not a time in seconds of the years 0 to 9999: %f", seconds);
    time_t whole = (time_t)floor(seconds);
    select_zone(L, zone);
    localtime_r(&whole, &parts);
    return parts;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)clock_wall_us() / 1e6);
    return 1;
}

static int l_monotonic_ms(lua_State *L)
{
    lua_pushnumber(L, (double)clock_monotonic_ns() / 1e6);
    return 1;
}

static int l_iso8601(lua_State *L)
{
    static const double scales[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    double seconds = luaL_checknumber(L, 1);
    const char *zone = luaL_optstring(L, 2, "UTC");
    int decimals = (int)luaL_optinteger(L, 3, 0);
    char text[64];

    luaL_argcheck(L, decimals >= 0 && decimals <= 6, 3, "0 to 6 decimals");
    /* Cut, not rounded, so that a time never reads as later than it was; the nudge is for 0.1 +
     * 0.2. */
    double ticks = floor(seconds * scales[decimals] + 1e-4 * (decimals > 0));
    double whole = floor(ticks / scales[decimals]);
    struct tm tm = local_parts(L, whole, zone);
    int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (decimals > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, ".%0*.0f", decimals,
                      ticks - whole * scales[decimals]);
    long offset_min = tm.tm_gmtoff / 60;
    if (offset_min == 0)
        snprintf(text + n, sizeof text - (size_t)n, "Z");
    else
        snprintf(text + n, sizeof text - (size_t)n, "%c%02ld:%02ld", offset_min < 0 ? '-' : '+',
                 labs(offset_min) / 60, labs(offset_min) % 60);
    lua_pushstring(L, text);
    return 1;
}

/* Exactly `count` digits. */
static bool read_digits(const char **at, int count, int *out)
{
    *out = 0;
    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool read_char(const char **at, const char *allowed)
{
    if (!**at || !strchr(allowed, **at))
        return false;
    (*at)++;
    return true;
}

static bool read_offset(const char **at, int *offset_s)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;
    *offset_s = 0;
    if (read_char(at, "Zz"))
        return true;
    if (!read_char(at, "+-") || !read_digits(at, 2, &hours))
        return false;
    read_char(at, ":");
    if (!read_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static double read_fraction(const char **at)
{
    double value = 0, unit = 0.1;
    if (!read_char(at, ".,"))
        return 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        value += unit * (**at - '0');
    return value;
}

static int l_parse_iso8601(lua_State *L)
{
    const char *at = luaL_checkstring(L, 1);
    int year, month, day, hour, min, sec, offset_s;

    bool well_formed =
        read_digits(&at, 4, &year) && read_char(&at, "-") && read_digits(&at, 2, &month) &&
        read_char(&at, "-") && read_digits(&at, 2, &day) && read_char(&at, "Tt ") &&
        read_digits(&at, 2, &hour) && read_char(&at, ":") && read_digits(&at, 2, &min) &&
        read_char(&at, ":") && read_digits(&at, 2, &sec);
    if (!well_formed || !is_calendar_date(year, month, day) || hour > 23 || min > 59 || sec > 60)
        return 0;
    double fraction = read_fraction(&at);
    if (!read_offset(&at, &offset_s) || *at)
        return 0;
    int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + min * 60 + sec;
    lua_pushnumber(L, (double)(seconds - offset_s) + fraction);
    return 1;
}

static void set_integer(lua_State *L, const char *name, long value)
{
    lua_pushnumber(L, (double)value);
    lua_setfield(L, -2, name);
}

static int l_parts(lua_State *L)
{
    struct tm tm = local_parts(L, luaL_checknumber(L, 1), luaL_optstring(L, 2, "UTC"));
    lua_createtable(L, 0, 9);
    set_integer(L, "year", tm.tm_year + 1900);
    set_integer(L, "month", tm.tm_mon + 1);
    set_integer(L, "day", tm.tm_mday);
    set_integer(L, "hour", tm.tm_hour);
    set_integer(L, "min", tm.tm_min);
    set_integer(L, "sec", tm.tm_sec);
    set_integer(L, "wday", tm.tm_wday == 0 ? 7 : tm.tm_wday);
    set_integer(L, "yday", tm.tm_yday + 1);
    set_integer(L, "offset_s", tm.tm_gmtoff);
    return 1;
}

static int get_part(lua_State *L, const char *name, int fallback)
{
    lua_getfield(L, 1, name);
    lua_Number value = lua_isnil(L, -1) ? fallback : luaL_checknumber(L, -1);
    lua_pop(L, 1);
    return value >= -1 && value < 1e6 ? (int)value : -1; /* -1: no such date */
}

static int l_from_parts(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct tm tm = {.tm_year = get_part(L, "year", 1970) - 1900,
                    .tm_mon = get_part(L, "month", 1) - 1,
                    .tm_mday = get_part(L, "day", 1),
                    .tm_hour = get_part(L, "hour", 0),
                    .tm_min = get_part(L, "min", 0),
                    .tm_sec = get_part(L, "sec", 0),
                    .tm_isdst = -1};
    if (tm.tm_year < -1900 || tm.tm_year > 9999 - 1900 ||
        !is_calendar_date(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) || tm.tm_hour < 0 ||
        tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return 0;
    select_zone(L, luaL_optstring(L, 2, "UTC"));
    lua_pushnumber(L, (double)mktime(&tm));
    return 1;
}

static const luaL_Reg functions[] = {
    {"now", l_now},         {"monotonic_ms", l_monotonic_ms},
    {"iso8601", l_iso8601}, {"parse_iso8601", l_parse_iso8601},
    {"parts", l_parts},     {"from_parts", l_from_parts},
    {NULL, NULL},
};

void bind_time_open(lua_State *L, struct host *host)
{
    bind_module(L, functions, host);
}
