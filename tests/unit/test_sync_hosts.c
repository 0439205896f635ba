/* Who may connect to a host and when: budgets, the line, a host that is down. Time is the test's
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/sync/backoff.h"
#include "server/sync/hosts.h"

enum { PLACES = 300 };

static struct hosts *hosts;
static struct host_place places[PLACES];
static int64_t now_ms, wait_ms;
static struct error why;
static const struct error no_route = {.kind = ERROR_UNREACHABLE, .message = "no route"};

static void begin(struct hosts_rules rules)
{
    rules.connecting = rules.connecting ? rules.connecting : PLACES;
    hosts = hosts_new(&rules);
    now_ms = 1000000;
    memset(places, 0, sizeof places);
    for (int i = 0; i < PLACES; i++)
        places[i].account_id = i + 1;
}

static void end(void)
{
    for (int i = 0; i < PLACES; i++)
        hosts_leave(hosts, &places[i]);
    hosts_free(&hosts);
}

static enum hosts_answer enter(int i, bool is_urgent)
{
    return hosts_enter(hosts, &places[i], STR("mail.example.org"), 993, is_urgent, now_ms, &wait_ms,
                       &why);
}

/* The number of the place whose turn it is, or -1. */
static int next(void)
{
    const struct host_place *place = hosts_next(hosts, now_ms);
    return place ? (int)(place - places) : -1;
}

/* A host that has answered once. */
static void meet(int i)
{
    assert_int_equal(enter(i, false), HOSTS_GO);
    hosts_met(hosts, &places[i]);
}

static int64_t miss(int i)
{
    assert_int_equal(enter(i, false), HOSTS_GO);
    return hosts_missed(hosts, &places[i], now_ms, &no_route);
}

/* --- back-off --------------------------------------------------------------------------------- */

static void test_the_wait_doubles_up_to_the_most(void **state)
{
    static const struct {
        int failures;
        int64_t wait_ms;
    } rows[] = {{1, 5}, {2, 10}, {3, 20}, {4, 40}, {8, 640}, {9, 900}, {1000000, 900}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(backoff_ms(5, 900, rows[i].failures), rows[i].wait_ms);
}

static void test_waits_are_spread_by_a_fifth_either_way(void **state)
{
    int64_t least = INT64_MAX, most = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t wait = backoff_jittered(1000);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_in_range(least, 800, 850);
    assert_in_range(most, 1150, 1200);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static void test_a_host_gets_no_more_connections_than_its_budget(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 3});
    for (int i = 0; i < 3; i++)
        meet(i);
    assert_int_equal(enter(3, false), HOSTS_LATER);
    assert_int_equal(enter(4, true), HOSTS_LATER); /* whoever asks */
    assert_int_equal(next(), -1);
    hosts_leave(hosts, &places[1]);
    assert_int_equal(next(), 4); /* somebody waits for that one */
    assert_int_equal(next(), -1);
    assert_int_equal(enter(4, false), HOSTS_GO);
    hosts_leave(hosts, &places[0]);
    assert_int_equal(enter(5, false), HOSTS_LATER); /* not past those that stand in line */
    assert_int_equal(next(), 3);
    end();
}

static void test_another_port_is_another_host(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 1});
    meet(0);
    assert_int_equal(
        hosts_enter(hosts, &places[1], STR("mail.example.org"), 587, false, now_ms, &wait_ms, &why),
        HOSTS_GO);
    assert_int_equal(
        hosts_enter(hosts, &places[2], STR("MAIL.example.org"), 993, false, now_ms, &wait_ms, &why),
        HOSTS_LATER);
    end();
}

static void test_an_account_gets_no_more_connections_than_its_budget(void **state)
{
    (void)state;
    begin((struct hosts_rules){.account_connections = 2});
    places[1].account_id = places[2].account_id = places[0].account_id;
    meet(0);
    meet(1);
    assert_int_equal(enter(2, true), HOSTS_LATER);
    assert_int_equal(next(), -1); /* it does not stand in the others' way */
    meet(3);
    hosts_leave(hosts, &places[1]);
    assert_int_equal(enter(2, false), HOSTS_GO);
    end();
}

static void test_those_without_work_make_room_for_those_that_wait(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 3});
    for (int i = 0; i < 3; i++)
        meet(i);
    assert_false(hosts_is_crowded(hosts));
    assert_false(hosts_must_leave(hosts, &places[0]));
    enter(3, false);
    enter(4, false);
    assert_true(hosts_is_crowded(hosts));
    assert_true(hosts_must_leave(hosts, &places[0]));
    assert_true(hosts_must_leave(hosts, &places[0])); /* asked once, it stays so */
    assert_true(hosts_must_leave(hosts, &places[1]));
    assert_false(hosts_must_leave(hosts, &places[2])); /* two wait, two go */
    hosts_leave(hosts, &places[0]);
    assert_int_equal(next(), 3);
    assert_false(hosts_must_leave(hosts, &places[2]));
    end();
}

static void test_everybody_has_a_turn(void **state)
{
    int served = 0;
    (void)state;
    begin((struct hosts_rules){.connections = 2});
    for (int i = 0; i < PLACES; i++)
        if (enter(i, false) == HOSTS_GO)
            hosts_met(hosts, &places[i]);
    for (int i = 0; i < PLACES; i++) /* in the order in which they came */
        if (places[i].state == PLACE_CONNECTED) {
            hosts_leave(hosts, &places[i]);
            served++;
            int turn = next();
            assert_int_equal(turn, i + 2 < PLACES ? i + 2 : -1);
            if (turn >= 0) {
                assert_int_equal(enter(turn, false), HOSTS_GO);
                hosts_met(hosts, &places[turn]);
            }
        }
    assert_int_equal(served, PLACES);
    end();
}

/* --- coming one after the other --------------------------------------------------------------- */

/* How many are let in within that time, looked at every 10 ms. */
static int admitted(int64_t within_ms)
{
    int count = 0;
    for (int64_t until_ms = now_ms + within_ms; now_ms < until_ms; now_ms += 10)
        for (int i; (i = next()) >= 0; count++) {
            assert_int_equal(enter(i, false), HOSTS_GO);
            hosts_met(hosts, &places[i]);
        }
    return count;
}

static void test_accounts_come_to_a_host_one_after_the_other(void **state)
{
    int at_once = 0;
    (void)state;
    begin((struct hosts_rules){.per_second = 20});
    meet(0);
    for (int i = 1; i < PLACES; i++)
        if (enter(i, false) == HOSTS_GO) {
            hosts_met(hosts, &places[i]);
            at_once++;
        }
    assert_int_equal(at_once, 19);
    assert_in_range(hosts_wait_ms(hosts, now_ms, 1000), 45, 51);
    assert_in_range(admitted(1000), 19, 20);
    assert_in_range(admitted(5000), 99, 100);
    end();
}

static void test_who_is_waited_for_does_not_stand_behind_them(void **state)
{
    (void)state;
    begin((struct hosts_rules){.per_second = 2});
    meet(0);
    meet(1);
    for (int i = 2; i < 50; i++)
        assert_int_equal(enter(i, false), HOSTS_LATER);
    assert_int_equal(enter(60, true), HOSTS_GO);
    assert_int_equal(enter(61, true), HOSTS_GO);
    assert_int_equal(enter(62, true), HOSTS_GO);
    assert_int_equal(enter(63, true), HOSTS_LATER); /* but neither do they come all at once */
    now_ms += 500;
    assert_int_equal(next(), 63);
    end();
}

static void test_an_unknown_host_is_met_by_one_first(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connecting = 4});
    assert_int_equal(enter(0, false), HOSTS_GO);
    assert_int_equal(enter(1, false), HOSTS_LATER);
    assert_int_equal(next(), -1);
    hosts_met(hosts, &places[0]);
    assert_int_equal(next(), 1);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(enter(i, false), HOSTS_GO);
    assert_int_equal(enter(5, false), HOSTS_LATER);
    assert_int_equal(next(), -1); /* so many threads it may hold up, and no more */
    end();
}

/* --- a host that is down ---------------------------------------------------------------------- */

static void test_a_host_that_is_down_is_tried_by_one(void **state)
{
    (void)state;
    begin((struct hosts_rules){0});
    int64_t again_ms = miss(0);
    assert_in_range(again_ms, 4000, 6000);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(enter(i, false), HOSTS_DOWN);
        assert_string_equal(why.message, "no route");
        assert_int_equal(wait_ms, again_ms);
    }
    assert_int_equal(next(), -1);
    assert_int_equal(hosts_wait_ms(hosts, now_ms, 100000), again_ms);
    now_ms += again_ms;
    assert_int_equal(next(), 0);
    assert_int_equal(next(), -1);
    assert_int_equal(enter(5, false), HOSTS_DOWN);
    again_ms = miss(0);
    assert_in_range(again_ms, 8000, 12000);
    now_ms += again_ms;
    int probe = next();
    assert_int_equal(probe, 1); /* another one this time */
    assert_int_equal(enter(probe, false), HOSTS_GO);
    hosts_met(hosts, &places[probe]);
    for (int i = 2; i < 20; i++)
        assert_int_equal(next(), i);
    end();
}

static void test_failures_under_way_together_are_one(void **state)
{
    (void)state;
    begin((struct hosts_rules){0});
    meet(9);
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(i, false), HOSTS_GO);
    for (int i = 0; i < 4; i++)
        assert_in_range(hosts_missed(hosts, &places[i], now_ms, &no_route), 4000, 6000);
    end();
}

static void test_waits_for_a_host_grow_to_a_quarter_of_an_hour(void **state)
{
    (void)state;
    begin((struct hosts_rules){0});
    int64_t again_ms = 0;
    for (int i = 0; i < 30; i++) {
        again_ms = miss(0);
        now_ms += again_ms;
    }
    assert_in_range(again_ms, 12 * 60 * 1000, 18 * 60 * 1000);
    meet(0);
    hosts_leave(hosts, &places[0]);
    assert_in_range(miss(0), 4000, 6000); /* forgotten once it answered */
    end();
}

static void test_a_host_that_says_when_is_believed(void **state)
{
    struct error busy = {.kind = ERROR_UNAVAILABLE, .retry_after_ms = 60000};
    (void)state;
    begin((struct hosts_rules){0});
    assert_int_equal(enter(0, false), HOSTS_GO);
    assert_in_range(hosts_missed(hosts, &places[0], now_ms, &busy), 48000, 72000);
    end();
}

static void test_clicks_try_it_sooner_but_not_each_of_them(void **state)
{
    (void)state;
    begin((struct hosts_rules){0});
    for (int i = 0; i < 6; i++) { /* by now it is left alone for minutes */
        now_ms += miss(0);
    }
    int64_t again_ms = miss(0), down_ms = now_ms + again_ms;
    assert_true(again_ms > 60000);
    assert_int_equal(enter(1, true), HOSTS_DOWN);
    now_ms += 3000;
    assert_int_equal(enter(1, true), HOSTS_GO);
    assert_int_equal(enter(2, true), HOSTS_DOWN);
    assert_int_equal(hosts_missed(hosts, &places[1], now_ms, &no_route), down_ms - now_ms);
    assert_int_equal(next(), -1);
    assert_int_equal(hosts_wait_ms(hosts, now_ms, 100000), 3000);
    now_ms += 3000;
    assert_int_equal(next(), 2);
    end();
}

/* --- turns that are not taken ----------------------------------------------------------------- */

static void test_a_turn_not_taken_is_given_to_the_next(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 1});
    meet(0);
    enter(1, false);
    enter(2, false);
    hosts_settle(hosts, &places[0], false); /* its connection is closed */
    assert_int_equal(next(), 1);
    assert_true(hosts_has_turn(hosts, &places[1]));
    hosts_settle(hosts, &places[1], false); /* it came during its slice: kept for the next */
    assert_true(hosts_has_turn(hosts, &places[1]));
    hosts_settle(hosts, &places[1], true);
    assert_false(hosts_has_turn(hosts, &places[1]));
    assert_int_equal(next(), 2);
    hosts_settle(hosts, &places[2], true);
    enter(3, false);
    assert_int_equal(places[3].state, PLACE_CONNECTING);
    end();
}

static void test_who_stands_in_line_stays_there(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 1});
    meet(0);
    enter(1, false);
    enter(2, false);
    hosts_settle(hosts, &places[1], false);
    assert_int_equal(enter(1, false), HOSTS_LATER);
    assert_int_equal(enter(2, true), HOSTS_LATER); /* comes to the front */
    hosts_leave(hosts, &places[0]);
    assert_int_equal(next(), 2);
    hosts_leave(hosts, &places[2]);
    assert_int_equal(next(), 1);
    end();
}

static void test_an_account_may_change_its_host(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 1});
    meet(0);
    enter(1, false);
    assert_int_equal(hosts_enter(hosts, &places[1], STR("other.example.org"), 993, false, now_ms,
                                 &wait_ms, &why),
                     HOSTS_GO);
    hosts_leave(hosts, &places[0]);
    assert_int_equal(next(), -1);
    end();
}

static void test_hosts_that_nobody_is_at_are_forgotten(void **state)
{
    (void)state;
    begin((struct hosts_rules){.connections = 1});
    for (int port = 1; port < 20000; port++) {
        assert_int_equal(hosts_enter(hosts, &places[0], STR("mail.example.org"), port, false,
                                     now_ms, &wait_ms, &why),
                         HOSTS_GO);
        hosts_leave(hosts, &places[0]);
    }
    end();
}

static void test_a_host_that_has_enough_of_a_connection_is_let_alone_by_all(void **state)
{
    static const struct error too_much = {.kind = ERROR_THROTTLED, .message = "too much"};
    (void)state;
    begin((struct hosts_rules){.connections = 2});
    meet(0);
    meet(1);
    int64_t again_ms = hosts_missed(hosts, &places[0], now_ms, &too_much);
    assert_in_range(again_ms, 4000, 6000);
    assert_int_equal(enter(2, false), HOSTS_DOWN);
    assert_string_equal(why.message, "too much");
    now_ms += again_ms;
    assert_int_equal(next(), 2);
    assert_int_equal(enter(2, false), HOSTS_GO); /* the place of the one that ended is free */
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wait_doubles_up_to_the_most),
        cmocka_unit_test(test_waits_are_spread_by_a_fifth_either_way),
        cmocka_unit_test(test_a_host_gets_no_more_connections_than_its_budget),
        cmocka_unit_test(test_another_port_is_another_host),
        cmocka_unit_test(test_an_account_gets_no_more_connections_than_its_budget),
        cmocka_unit_test(test_those_without_work_make_room_for_those_that_wait),
        cmocka_unit_test(test_everybody_has_a_turn),
        cmocka_unit_test(test_accounts_come_to_a_host_one_after_the_other),
        cmocka_unit_test(test_who_is_waited_for_does_not_stand_behind_them),
        cmocka_unit_test(test_an_unknown_host_is_met_by_one_first),
        cmocka_unit_test(test_a_host_that_is_down_is_tried_by_one),
        cmocka_unit_test(test_a_host_that_has_enough_of_a_connection_is_let_alone_by_all),
        cmocka_unit_test(test_failures_under_way_together_are_one),
        cmocka_unit_test(test_waits_for_a_host_grow_to_a_quarter_of_an_hour),
        cmocka_unit_test(test_a_host_that_says_when_is_believed),
        cmocka_unit_test(test_clicks_try_it_sooner_but_not_each_of_them),
        cmocka_unit_test(test_a_turn_not_taken_is_given_to_the_next),
        cmocka_unit_test(test_who_stands_in_line_stays_there),
        cmocka_unit_test(test_an_account_may_change_its_host),
        cmocka_unit_test(test_hosts_that_nobody_is_at_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
