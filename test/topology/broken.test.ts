import { describe, expect, it } from 'vitest';
import { compileTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { problemsOf, type Edit } from './shop.ts';

const TOPOLOGY = 'topology.yaml';
const EVENTS = 'events.yaml';
const CART = 'journeys/cart_abandoned.yaml';
const IDLE = 'journeys/checkout_idle.yaml';
const BROWSED = 'journeys/browsed_no_cart.yaml';
const DROP = 'journeys/price_drop.yaml';
const REMINDER = 'templates/cart_reminder.yaml';

interface Case {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly set?: Record<string, string>;
  /** Everything that is said, word for word. */
  readonly says: readonly string[];
}

const ON_IDLE = '  inactive:\n    after: checkout_started\n    for: ${params.checkoutWait}\n';
const DATA = '    data:\n      cartId: trigger.cartId';
const WHERE = 'session.counts.product_viewed >= 2 && session.counts.cart_item_added == 0';

const CASES: readonly Case[] = [
  {
    name: 'an item that is named by no property',
    edits: [[EVENTS, 'product_viewed:\n', 'product_viewed:\n  item: productID\n']],
    says: ['events.yaml:16:9: error: `product_viewed` has no property `productID` of type string\n    its texts: sku, name, currency'],
  },
  {
    name: 'an item that is named by a number',
    edits: [[EVENTS, 'product_viewed:\n', 'product_viewed:\n  item: price\n']],
    says: ['events.yaml:16:9: error: `product_viewed` has no property `price` of type string\n    its texts: sku, name, currency'],
  },
  {
    name: 'a misspelt key',
    edits: [[CART, 'expires: 6h', 'expirs: 6h']],
    says: ['journeys/cart_abandoned.yaml:21:1: error: `expirs` is not known here\n    did you mean `expires`?'],
  },
  {
    name: 'a duration without a unit',
    edits: [[CART, 'ttl: 4h', 'ttl: 4']],
    says: [
      'journeys/cart_abandoned.yaml:32:10: error: `ttl` must be a duration such as 90s, 30m, 1h or 7d, not 4\n    4 of what? write 4s, 4m or 4h',
    ],
  },
  {
    name: 'a duration in words',
    edits: [[CART, 'expires: 6h', 'expires: 6 hours']],
    says: ['journeys/cart_abandoned.yaml:21:10: error: `expires` must be a duration such as 90s, 30m, 1h or 7d, not `6 hours`'],
  },
  {
    name: 'nothing to notice',
    edits: [[IDLE, 'on:\n  inactive:\n    after: checkout_started\n    for: ${params.checkoutWait}\n', '']],
    says: ['journeys/checkout_idle.yaml:2:1: error: `on` is missing\n    on: What to notice. An event type alone is the shortest form.'],
  },
  {
    name: 'two things to notice',
    edits: [[IDLE, 'on:\n', 'on:\n  event: app_opened\n']],
    says: [
      'journeys/checkout_idle.yaml:9:5: error: `on` has both event and inactive\n    a journey notices one thing: make two journeys of it',
    ],
  },
  {
    name: 'a sequence that begins with what must not come',
    edits: [[IDLE, ON_IDLE, '  sequence: { of: [{ without: app_opened }, checkout_started], within: 1h }\n']],
    says: ['journeys/checkout_idle.yaml:7:20: error: a sequence begins with an event\n    say first what has to happen'],
  },
  {
    name: 'a sequence of one event',
    edits: [[IDLE, ON_IDLE, '  sequence: { of: [checkout_started, { without: purchase_completed }], within: 1h }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:19: error: a sequence has at least two events\n    one event and what must not follow it is an `absence`',
    ],
  },
  {
    name: 'an element of a sequence that is nothing',
    edits: [[IDLE, ON_IDLE, '  sequence: { of: [checkout_started, { where: "true" }], within: 1h }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:38: error: neither an event nor a `without`\n    write `{ event: type, where: condition }` or `{ without: type }`',
    ],
  },
  {
    name: 'a count of one',
    edits: [[IDLE, ON_IDLE, '  count: { of: checkout_started, times: 1, within: 1h }\n']],
    says: ['journeys/checkout_idle.yaml:7:41: error: `times` must be a whole number from 2 to 100, not 1'],
  },
  {
    name: 'a count over a time without a unit',
    edits: [[IDLE, ON_IDLE, '  count: { of: checkout_started, times: 2, within: 7 }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:52: error: `within` must be a duration such as 90s, 30m, 1h or 7d, or session, not 7\n    7 of what? write 7s, 7m or 7h',
    ],
  },
  {
    name: 'a change of an item without who is interested',
    edits: [[DROP, '    interest: { of: product_viewed, times: 2, within: 30d, without: cart_item_added }\n', '']],
    says: ['journeys/price_drop.yaml:6:3: error: `interest` is missing in `item`\n    interest: Who is interested in the item.'],
  },
  {
    name: 'a change of an item that is none',
    edits: [[DROP, 'change: price_changed\n    where: event.price <= event.was * 0.9', 'change: checkout_started']],
    says: [
      'journeys/price_drop.yaml:7:13: error: `checkout_started` is no change of an item\n    say in events.yaml which of its properties names the item: `item: productId`',
    ],
  },
  {
    name: 'a change of an item without the key that names it',
    edits: [[DROP, 'key: sku\n', '']],
    says: ['journeys/price_drop.yaml:7:5: error: what happens to an item is told apart by the item\n    write `key: sku`'],
  },
  {
    name: 'a change of an item with another key',
    edits: [[DROP, 'key: sku\n', 'key: name\n']],
    says: ['journeys/price_drop.yaml:12:6: error: `price_changed` is about `sku`, not `name`\n    write `key: sku`'],
  },
  {
    name: 'interest in an item by what does not name it',
    edits: [[DROP, 'of: product_viewed, times: 2', 'of: [product_viewed, page_viewed]']],
    says: [
      "journeys/price_drop.yaml:9:38: error: `page_viewed` has no property `sku`, the journey's key\n    add `sku` to its properties in events.yaml, or leave `key` away",
    ],
  },
  {
    name: 'interest that lasts for no time',
    edits: [[DROP, 'within: 30d', 'within: 0d']],
    says: ['journeys/price_drop.yaml:9:55: error: `within` must be longer than nothing'],
  },
  {
    name: 'a condition on what a change of an item does not have',
    edits: [[DROP, 'event.was', 'event.before']],
    says: ['journeys/price_drop.yaml:8:33: error: `price_changed` has no property `before`\n    known: sku, name, price, was, currency'],
  },
  {
    name: 'a priority that is a word',
    edits: [[CART, 'expires: 6h', 'expires: 6h\npriority: high']],
    says: ['journeys/cart_abandoned.yaml:22:11: error: `priority` must be a whole number from 1 to 100, not `high`'],
  },
  {
    name: 'a message that is held for less time than it takes to leave',
    edits: [[DROP, 'hold: 3h', 'hold: 90s']],
    says: [
      'journeys/price_drop.yaml:25:27: error: nobody has left within `90s`: people count as in the app for 120 s after what they did last\n    hold it for longer, or shorten `session.active` in topology.yaml',
    ],
  },
  {
    name: 'a message that is held and shown elsewhere',
    edits: [[DROP, 'while_active: { hold: 3h }', 'while_active: { hold: 3h, channels: [fcm] }']],
    says: ['journeys/price_drop.yaml:25:19: error: `while_active` must be drop, `{ hold: 2h }` or `{ channels: [in_app] }`, not a mapping'],
  },
  {
    name: 'a channel for who is in the app that there is not',
    edits: [[DROP, 'while_active: { hold: 3h }', 'while_active: { channels: [in_app] }']],
    says: ['journeys/price_drop.yaml:25:32: error: there is no channel `in_app` in topology.yaml\n    channels: webpush, fcm'],
  },
  {
    name: 'nothing to do while somebody is in the app',
    edits: [[DROP, 'while_active: { hold: 3h }', 'while_active: later']],
    says: ['journeys/price_drop.yaml:25:19: error: `while_active` must be drop, `{ hold: 2h }` or `{ channels: [in_app] }`, not `later`'],
  },
  {
    name: 'a re-entry in other words',
    edits: [[DROP, 'reentry: every 14d', 'reentry: per session']],
    says: ['journeys/price_drop.yaml:14:10: error: `reentry` must be always, once, once per session, or every 7d, not `per session`'],
  },
  {
    name: 'a misspelt step',
    edits: [[IDLE, DATA, `${DATA}\n  - whait: later\n    for: 1h`]],
    says: ['journeys/checkout_idle.yaml:27:5: error: `whait` is not known here\n    did you mean `wait`?'],
  },
  {
    name: 'a step of no kind',
    edits: [[IDLE, DATA, `${DATA}\n  - for: 1h`]],
    says: ['journeys/checkout_idle.yaml:27:5: error: a step of no kind\n    one of send, wait, branch, split, update, exit'],
  },
  {
    name: 'a step of two kinds',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 1h\n    exit: now`]],
    says: ['journeys/checkout_idle.yaml:27:5: error: a step is one thing, this is wait and exit\n    make a list of them'],
  },
  {
    name: 'what belongs to another step',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 1h\n    channels: [fcm]\n  - exit: enough`]],
    says: ['journeys/checkout_idle.yaml:29:5: error: `channels` does not belong to a `wait`\n    it belongs to send'],
  },
  {
    name: 'a wait without an end',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n  - exit: enough`]],
    says: ['journeys/checkout_idle.yaml:27:5: error: a wait without an end\n    say `for` how long, or `at` which local time'],
  },
  {
    name: 'a wait for nothing',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 1h`]],
    says: [
      'journeys/checkout_idle.yaml:27:5: warning: nothing comes behind the wait `later`\n    a run that ends either way need not wait',
    ],
  },
  {
    name: 'a wait that is of no length',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 0s\n  - exit: enough`]],
    says: ['journeys/checkout_idle.yaml:28:10: error: `for` must be longer than nothing'],
  },
  {
    name: 'steps for what nobody waits for',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 1h\n    then: [{ exit: came }]`]],
    says: [
      'journeys/checkout_idle.yaml:29:11: error: `then` is for what comes of `until`\n    name the events, or put the steps behind the wait',
    ],
  },
  {
    name: 'a wait for an answer to what is not sent',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    for: 1h\n    until: { opened: nudg }\n    then: [{ exit: came }]`]],
    says: ['journeys/checkout_idle.yaml:29:22: error: this journey sends no `nudg`\n    did you mean `nudge`?'],
  },
  {
    name: 'a local time without a zone',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    at: "09:00"\n  - exit: enough`]],
    says: [
      'journeys/checkout_idle.yaml:28:9: error: a local time needs a zone\n    add `time_zone: Europe/Berlin` (an IANA name) to topology.yaml, for users of whom no zone is known',
    ],
  },
  {
    name: 'a local time that is none',
    edits: [[IDLE, DATA, `${DATA}\n  - wait: later\n    at: 9am\n  - exit: enough`]],
    says: ['journeys/checkout_idle.yaml:28:9: error: `at` must be a local time such as 09:00, in quotes, not `9am`'],
  },
  {
    name: 'two steps of one name',
    edits: [[IDLE, DATA, `${DATA}\n  - exit: nudge`]],
    says: ['journeys/checkout_idle.yaml:27:11: error: there is another step `nudge` in this journey\n    give one of them another name'],
  },
  {
    name: 'a step that no run comes to',
    edits: [[IDLE, DATA, `${DATA}\n  - exit: enough\n  - update: mark\n    set: { country: trigger.cartId }`]],
    says: ['journeys/checkout_idle.yaml:28:5: error: no run comes to this step\n    the steps before it all end or lead elsewhere'],
  },
  {
    name: 'shares that do not make a hundred',
    edits: [[IDLE, DATA, `${DATA}\n  - split: offer\n    arms: [{ name: a, share: 50 }, { name: b, share: 40 }]`]],
    says: ['journeys/checkout_idle.yaml:28:11: error: the shares make 90 %, not 100'],
  },
  {
    name: 'an attribute that is not declared',
    edits: [[IDLE, DATA, `${DATA}\n  - update: mark\n    set: { contry: trigger.cartId }`]],
    says: ['journeys/checkout_idle.yaml:28:20: error: users have no attribute `contry`\n    did you mean `country`?'],
  },
  {
    name: 'an attribute of another type',
    edits: [[IDLE, DATA, `${DATA}\n  - update: mark\n    set: { country: 1 + 1 }`]],
    says: ['journeys/checkout_idle.yaml:28:21: error: `country` is a string, this is a long'],
  },
  {
    name: 'a case that is neither true nor false',
    edits: [[IDLE, DATA, `${DATA}\n  - branch: by\n    cases: [{ when: trigger.total }]\n  - exit: enough`]],
    says: [
      'journeys/checkout_idle.yaml:28:21: error: a condition is true or false, this is a double\n    compare it with something: == != < <= > >=',
    ],
  },
  {
    name: 'runs that are to go on nowhere',
    edits: [[IDLE, 'steps:', 'moved: { old: later }\nsteps:']],
    says: ['journeys/checkout_idle.yaml:17:15: error: there is no wait `later` for runs to go on at\n    name a wait of this journey'],
  },
  {
    name: 'a step that is gone and there',
    edits: [[IDLE, 'steps:', 'moved: { nudge: nudge }\nsteps:']],
    says: [
      'journeys/checkout_idle.yaml:17:10: error: `nudge` is still a step\n    name here only steps that are gone',
      'journeys/checkout_idle.yaml:17:17: error: there is no wait `nudge` for runs to go on at\n    name a wait of this journey',
    ],
  },
  {
    name: 'a milestone of two kinds',
    edits: [[IDLE, ON_IDLE, '  milestone: { of: checkout_started, at: 1, every: 2 }\n']],
    says: ['journeys/checkout_idle.yaml:7:14: error: a milestone is `at` some numbers, or `every` so many\n    write one of the two'],
  },
  {
    name: 'a streak of days in no zone',
    edits: [[IDLE, ON_IDLE, '  streak: { of: checkout_started, days: 7 }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:11: error: days need a zone\n    add `time_zone: Europe/Berlin` (an IANA name) to topology.yaml, for users of whom no zone is known',
    ],
  },
  {
    name: 'a streak of no length',
    edits: [[IDLE, ON_IDLE, '  streak: { of: checkout_started, breaks_at: "19:00" }\n']],
    says: ['journeys/checkout_idle.yaml:7:11: error: a streak has so many `days`, or `at_least` so many\n    write one of the two'],
  },
  {
    name: 'a segment that is not there',
    edits: [[IDLE, ON_IDLE, '  segment: { entered: vips }\n']],
    says: ['journeys/checkout_idle.yaml:7:23: error: there is no segment `vips` in topology.yaml\n    add it under `segments`'],
  },
  {
    name: 'a segment entered and left',
    edits: [[IDLE, ON_IDLE, '  segment: { entered: vips, left: vips }\n']],
    says: ['journeys/checkout_idle.yaml:7:12: error: a segment is `entered` or `left`\n    write one of the two'],
  },
  {
    name: 'an attribute that nobody has',
    edits: [[IDLE, ON_IDLE, '  attribute: { of: plan }\n']],
    says: ['journeys/checkout_idle.yaml:7:20: error: users have no attribute `plan`\n    under `profile`: firstName, country, language'],
  },
  {
    name: 'a date that is no time',
    edits: [[IDLE, ON_IDLE, '  date: { of: country, before: 3d }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:15: error: `country` is a string, and no time\n    declare it as `time` under `profile`: milliseconds since 1970',
    ],
  },
  {
    name: 'a date before and after',
    edits: [[IDLE, ON_IDLE, '  date: { of: country, before: 3d, after: 1d }\n']],
    says: [
      'journeys/checkout_idle.yaml:7:15: error: `country` is a string, and no time\n    declare it as `time` under `profile`: milliseconds since 1970',
    ],
  },
  {
    name: 'a session that has a key',
    edits: [[IDLE, ON_IDLE, '  session_started: {}\nkey: cartId\n']],
    says: ['journeys/checkout_idle.yaml:8:6: error: the start of a session has no property to be told apart by\n    leave `key` away'],
  },
  {
    name: 'a time zone that is an offset',
    edits: [[TOPOLOGY, 'max_event_age: 7d', 'max_event_age: 7d\ntime_zone: "+02:00"']],
    says: ['topology.yaml:38:12: error: there is no time zone `+02:00`\n    an IANA name such as Europe/Berlin, not an offset'],
  },
  {
    name: 'a segment that asks for what is not known',
    edits: [[TOPOLOGY, 'max_event_age: 7d', 'max_event_age: 7d\nsegments: { vips: { when: user.plan == "pro" } }']],
    says: ['topology.yaml:38:32: error: `user` has no attribute `plan`\n    known: firstName, country, language'],
  },
  {
    name: 'an event that is not in the catalogue',
    edits: [[CART, 'without: [purchase_completed]', 'without: [purchase_complete]']],
    says: [
      'journeys/cart_abandoned.yaml:10:15: error: there is no event `purchase_complete` in events.yaml\n    did you mean `purchase_completed`?',
    ],
  },
  {
    name: 'an absence of nothing',
    edits: [[CART, 'without: [purchase_completed]', 'without: []']],
    says: [
      'journeys/cart_abandoned.yaml:10:14: error: `without` is empty: nothing could keep this from firing\n    name what should have happened, or "*" for any activity',
    ],
  },
  {
    name: 'a key that an event does not have',
    edits: [[CART, 'cancel_on: [purchase_completed, checkout_started]', 'cancel_on: [purchase_completed, app_opened]']],
    says: [
      "journeys/cart_abandoned.yaml:18:33: error: `app_opened` has no property `cartId`, the journey's key\n    write { event: app_opened, per: user } if it counts for every cartId",
    ],
  },
  {
    name: 'a journey that cancels itself',
    edits: [
      [IDLE, 'on:\n  inactive:\n    after: checkout_started\n    for: ${params.checkoutWait}', 'on: checkout_started'],
      [IDLE, 'goal: purchase_completed', 'cancel_on: checkout_started'],
    ],
    says: ['journeys/checkout_idle.yaml:9:12: error: `checkout_started` is what starts this journey: it would always cancel itself'],
  },
  {
    name: 'two journeys of one name',
    edits: [[IDLE, 'name: checkout_idle', 'name: cart_abandoned']],
    says: [
      'journeys/checkout_idle.yaml:2:7: error: there is another journey `cart_abandoned` in journeys/cart_abandoned.yaml\n    give one of them another name',
    ],
  },
  {
    name: 'an event type in a condition that is misspelt',
    edits: [[BROWSED, 'counts.product_viewed', 'counts.product_view']],
    says: [
      'journeys/browsed_no_cart.yaml:8:27: error: `session.counts` has no event type `product_view`\n    did you mean `product_viewed`?',
    ],
  },
  {
    name: 'a number compared with a text',
    edits: [[BROWSED, '>= 2', '>= "2"']],
    says: [
      'journeys/browsed_no_cart.yaml:8:12: error: a long cannot be compared with a string\n    a text in quotes is not a number: leave the quotes away, or convert with double(...) or string(...)',
    ],
  },
  {
    name: 'a single =',
    edits: [[BROWSED, '>= 2', '= 2']],
    says: ['journeys/browsed_no_cart.yaml:8:42: error: this is not CEL: a single =\n    compare with =='],
  },
  {
    name: 'and in words',
    edits: [[BROWSED, '&&', 'and']],
    says: ['journeys/browsed_no_cart.yaml:8:47: error: this is not CEL: `and`\n    write &&'],
  },
  {
    name: 'a condition that ends too early',
    edits: [[BROWSED, ' == 0', ' ==']],
    says: ['journeys/browsed_no_cart.yaml:8:83: error: this is not CEL: it ends too early\n    a part is missing behind the last one'],
  },
  {
    name: 'something that a condition cannot see',
    edits: [[BROWSED, WHERE, 'event.sku == "a"']],
    says: ['journeys/browsed_no_cart.yaml:8:12: error: `event` is not known here\n    here you can read: session, user, history, params'],
  },
  {
    name: 'a condition that is a number',
    edits: [[BROWSED, WHERE, 'session.count']],
    says: [
      'journeys/browsed_no_cart.yaml:8:12: error: a condition is true or false, this is a long\n    compare it with something: == != < <= > >=',
    ],
  },
  {
    name: 'an empty condition, which is not an error',
    edits: [[BROWSED, WHERE, '""']],
    says: ['journeys/browsed_no_cart.yaml:8:12: warning: an empty condition matches nothing\n    leave it away to match everything'],
  },
  {
    name: 'a function that does not exist',
    edits: [[CART, 'cartId: trigger.cartId', 'cartId: upper(trigger.cartId)']],
    says: ['journeys/cart_abandoned.yaml:35:15: error: there is no function `upper`\n    did you mean `upperAscii`?'],
  },
  {
    name: 'a function of the wrong type',
    edits: [[CART, 'cartId: trigger.cartId', 'cartId: round(trigger.cartId)']],
    says: ['journeys/cart_abandoned.yaml:35:15: error: `round` cannot take (string)'],
  },
  {
    name: 'the trigger called event',
    edits: [[CART, 'cartId: trigger.cartId', 'cartId: event.cartId']],
    says: ['journeys/cart_abandoned.yaml:35:15: error: `event` is not known here\n    did you mean `trigger`?'],
  },
  {
    name: 'a property that is computed',
    edits: [[CART, 'cartId: trigger.cartId', 'cartId: trigger[params.shopUrl]']],
    says: [
      'journeys/cart_abandoned.yaml:35:15: error: `trigger[...]` needs a name\n    write trigger.name: only what is named is kept until the message is sent',
    ],
  },
  {
    name: 'a value that may be missing, in a condition',
    edits: [[CART, 'key: cartId', 'key: cartId\naudience: user.country == "DE"']],
    says: [
      'journeys/cart_abandoned.yaml:15:11: error: `user.country` may be missing\n    say what holds then: coalesce(user.country, ...), or has(user.country) && ...',
    ],
  },
  {
    name: 'a sum over a property that does not exist',
    edits: [[TOPOLOGY, 'event.qty }', 'event.quantity }']],
    says: ['topology.yaml:34:77: error: `cart_item_added` has no property `quantity`\n    known: cartId, sku, name, price, qty'],
  },
  {
    name: 'a param that does not exist',
    edits: [[CART, '${params.cartWait}', '${params.cartwait}']],
    says: ['journeys/cart_abandoned.yaml:11:13: error: there is no param `cartwait`\n    did you mean `cartWait`?'],
  },
  {
    name: 'a param set to something else than its default is',
    edits: [],
    set: { cartWait: '3', cartWate: '3s' },
    says: [
      '--set cartWait=3: error: `cartWait` must be a duration such as 90s, 30m, 1h or 7d\n    its default is 1h',
      '--set cartWate=3s: error: topology.yaml has no param `cartWate`\n    did you mean `cartWait`?',
    ],
  },
  {
    name: 'a cap that is no number',
    edits: [[TOPOLOGY, "'${params.dailyCap}'", 'lots']],
    says: ['topology.yaml:62:17: error: `max` must be a whole number, not `lots`'],
  },
  {
    name: 'class, category and channel misspelt',
    edits: [
      [CART, 'class: marketing', 'class: marketting'],
      [CART, 'category: reminders', 'category: carts'],
      [CART, '[webpush, fcm]', '[webpush, apns]'],
    ],
    says: [
      'journeys/cart_abandoned.yaml:28:25: error: there is no channel `apns` in topology.yaml\n    channels: webpush, fcm',
      'journeys/cart_abandoned.yaml:29:12: error: there is no class `marketting` in topology.yaml\n    did you mean `marketing`?',
      'journeys/cart_abandoned.yaml:30:15: error: there is no category `carts` in topology.yaml\n    categories: reminders',
    ],
  },
  {
    name: 'a class that needs consent, and no category to ask for',
    edits: [[CART, '    category: reminders\n', '']],
    says: [
      'journeys/cart_abandoned.yaml:27:5: error: `reminder` does not say whose consent it asks\n    class `marketing` needs a `category`',
    ],
  },
  {
    name: 'an event type that is no type',
    edits: [[EVENTS, 'qty: long', 'qty: int']],
    says: [
      'events.yaml:21:80: error: `qty` must be one of string, long, double, boolean, time (with a ? behind it where it may be missing), not `int`\n    write `long`',
    ],
  },
  {
    name: 'a reserved event in the catalogue',
    edits: [[EVENTS, 'app_opened:\n', '$profile:\n  properties: { plan: string }\n\napp_opened:\n']],
    says: [
      'events.yaml:9:1: error: `$profile` is a reserved event: Lull knows it\n    declare the attributes of users under `profile` in topology.yaml',
    ],
  },
  {
    name: 'a template that does not exist',
    edits: [[CART, 'template: cart_reminder', 'template: cart_remainder']],
    says: ['journeys/cart_abandoned.yaml:31:15: error: there is no template `cart_remainder`\n    did you mean `cart_reminder`?'],
  },
  {
    name: 'a property in a template that is misspelt',
    edits: [[REMINDER, '{{ trigger.name }} is', '{{ trigger.nam }} is']],
    says: ['templates/cart_reminder.yaml:10:20: error: `cart_item_added` has no property `nam`\n    did you mean `name`?'],
  },
  {
    name: 'a property in a template without its owner',
    edits: [[REMINDER, '{{ trigger.name }} is', '{{ name }} is']],
    says: ['templates/cart_reminder.yaml:10:20: error: `name` is not known here\n    did you mean `trigger.name`?'],
  },
  {
    name: 'a value that may be missing, in a template',
    edits: [[REMINDER, 'Hi {{ user.firstName | default: "there" }}', 'Hi {{ user.firstName }}']],
    says: [
      'templates/cart_reminder.yaml:12:13: error: `user.firstName` may be missing\n    say what stands there then: {{ user.firstName | default: "..." }}',
    ],
  },
  {
    name: 'a filter that is misspelt, and one that reads the clock',
    edits: [
      [REMINDER, '| url_encode', '| urlencode'],
      [REMINDER, '{{ trigger.name }} is', '{{ "now" | date }} is'],
    ],
    says: [
      'templates/cart_reminder.yaml:10:17: error: there is no filter `date`\n    it reads the clock or draws lots: a message must be the same however often it is rendered',
      'templates/cart_reminder.yaml:13:37: error: there is no filter `urlencode`\n    did you mean `url_encode`?',
    ],
  },
  {
    name: 'a default locale without a message',
    edits: [[REMINDER, 'default: en', 'default: fr']],
    says: ['templates/cart_reminder.yaml:6:10: error: there is no message for the default locale `fr`\n    locales: en, de'],
  },
  {
    name: 'a text that is too long to be shown',
    edits: [[REMINDER, 'title: Still in your cart', `title: ${'x'.repeat(100)}`]],
    says: ['templates/cart_reminder.yaml:17:16: warning: this title is 100 characters long\n    phones show about 80'],
  },
  {
    name: 'a text that YAML takes for something else',
    edits: [[CART, 'description: Something', 'description: Note: something']],
    says: [
      'journeys/cart_abandoned.yaml:3:14: error: this is not YAML: nested mappings are not allowed in compact mappings\n    a text with ": " in it needs quotes around it, or starts on the next line behind >-',
    ],
  },
  {
    name: 'files that would be ignored',
    edits: [
      ['journeys/later.yml', null, 'name: later\n'],
      ['event.yaml', null, ''],
    ],
    says: [
      'event.yaml:1:1: warning: this file is not read\n    did you mean `events.yaml`?',
      'journeys/later.yml:1:1: warning: this file is not read\n    its name must end in .yaml',
    ],
  },
  {
    name: 'durations over a hundred years',
    edits: [
      [CART, 'ttl: 4h', 'ttl: 99999999999999d'],
      [DROP, 'within: 30d', 'within: 36501d'],
      [DROP, 'reentry: every 14d', 'reentry: every 36501d'],
    ],
    says: [
      'journeys/cart_abandoned.yaml:32:10: error: `ttl` must be a duration such as 90s, 30m, 1h or 7d, not `99999999999999d`\n    at most 36500d are possible',
      'journeys/price_drop.yaml:9:55: error: `within` must be a duration such as 90s, 30m, 1h or 7d, not `36501d`\n    at most 36500d are possible',
      'journeys/price_drop.yaml:14:10: error: `reentry` must be always, once, once per session, or every 7d, not `every 36501d`\n    at most 36500d are possible',
    ],
  },
  {
    name: 'mistakes in several files',
    edits: [
      [CART, 'ttl: 4h', 'ttl: 4'],
      [IDLE, 'after: checkout_started', 'after: checkout_begun'],
    ],
    says: [
      'journeys/cart_abandoned.yaml:32:10: error: `ttl` must be a duration such as 90s, 30m, 1h or 7d, not 4\n    4 of what? write 4s, 4m or 4h',
      'journeys/checkout_idle.yaml:8:12: error: there is no event `checkout_begun` in events.yaml\n    events: app_opened, page_viewed, product_viewed, cart_item_added, cart_item_removed, checkout_started, purchase_completed, price_changed, stock_changed',
    ],
  },
];

describe('a broken topology', () => {
  it.each(CASES)('is told: $name', async ({ edits, set, says }) => {
    expect(await problemsOf(edits, set)).toEqual(says);
  });

  it('is told that it is not there', () => {
    const compiled = compileTopology('/nowhere/shop', { app: 'test' });
    expect(compiled.ok ? [] : compiled.errors.map(formatIssue)).toEqual([
      '/nowhere/shop: error: there is no such folder\n    a topology is a folder with topology.yaml, events.yaml, journeys/ and templates/',
    ]);
  });

  it('is silent where nothing is wrong', async () => {
    expect(await problemsOf([])).toEqual([]);
  });
});
