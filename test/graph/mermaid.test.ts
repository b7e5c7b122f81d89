import { describe, expect, it } from 'vitest';
import { chartOf } from '../../src/graph/journey.ts';
import { toMermaid } from '../../src/graph/mermaid.ts';
import { exampleChart, journey } from './example.ts';

describe('a journey as Mermaid', () => {
  it('is a flowchart from the trigger to the end', () => {
    expect(toMermaid(exampleChart('shop', 'cart_abandoned'))).toBe(`---
title: "cart_abandoned"
---
flowchart TD
  accDescr: Something was put into a cart, and an hour later the cart is still not paid for.
  n1(["When cart_item_added, then no purchase_completed within 1h, per cartId"]):::trigger
  n2("Send “Your [name] is still in the cart”<br>webpush, else fcm · reminders"):::send
  n3(["End"]):::over
  n1 --> n2
  n2 --> n3
  note["Stops it at once: purchase_completed or checkout_started<br>How often: at most once every 7d per cartId<br>Too late: more than 6h behind its moment"]:::note
  n1 -.- note
  classDef trigger fill:#f1eafe,stroke:#6639ba,color:#1f2328
  classDef send fill:#e2effd,stroke:#0550ae,color:#1f2328
  classDef over fill:#eef1f4,stroke:#59636e,color:#1f2328
  classDef note fill:#f6f8fa,stroke:#848d97,color:#1f2328,stroke-dasharray:4 4
`);
  });

  it('has a shape for each kind of step, and ways with their labels', () => {
    const lines = toMermaid(exampleChart('saas', 'welcome')).split('\n');
    expect(lines.slice(5, lines.indexOf('  note["Goal, ends it at once: member_invited<br>How often: once per user"]:::note'))).toEqual([
      '  n1(["When signed_up"]):::trigger',
      '  n2("Send “Welcome, [firstName]!”<br>webpush, else fcm · product"):::send',
      '  n3{{"Wait up to 1d for tour_finished"}}:::wait',
      '  n4("Send “Shall we finish the tour?”<br>webpush, else fcm · product"):::send',
      '  n5{{"Wait up to 8h for tour_help to be opened"}}:::wait',
      '  n6[/"stage = #quot;interested#quot;"/]:::update',
      '  n7{{"Wait 2d, then until 10:00"}}:::wait',
      '  n8{"user.plan = #quot;team#quot;?"}:::branch',
      '  n9("Send “Bring your team”<br>webpush, else fcm · product"):::send',
      '  n10(["Exit: team_asked"]):::exit',
      '  n11("Send “Better with somebody”<br>webpush, else fcm · product"):::send',
      '  n12(["End"]):::over',
      '  n1 --> n2',
      '  n2 --> n3',
      '  n3 -->|"over"| n4',
      '  n3 -->|"came"| n7',
      '  n4 --> n5',
      '  n5 -->|"came"| n6',
      '  n5 -->|"over"| n7',
      '  n6 --> n7',
      '  n7 --> n8',
      '  n8 -->|"yes"| n9',
      '  n8 -->|"no"| n11',
      '  n9 --> n10',
      '  n11 --> n12',
    ]);
  });

  it('lets nothing that somebody wrote mean something to Mermaid', () => {
    const odd = journey({ event: 'a', where: 'event.x == "<b>#1;`&`</b>" && event.y < 2' }, { description: 'two\nlines' });
    const text = toMermaid(chartOf(odd, []));
    expect(text).toContain('n1(["When a, where x = #quot;#lt;b#gt;#35;1;#96;#amp;#96;#lt;/b#gt;#quot; and y #lt; 2"]):::trigger');
    expect(text).toContain('  accDescr: two lines\n');
  });
});
