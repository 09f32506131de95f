/** Who did what to users, sessions, tokens and exports, and from where: for admins. */
import { useDeferredValue } from "react";
import type { Schemas } from "~/api/client";
import { useAudit } from "~/api/people";
import { Loaded, Panel } from "~/design/blocks";
import { Input, Select } from "~/design/field";
import * as format from "~/design/format";
import { useSearchState } from "~/design/search-state";
import { columnsOf, DataTable } from "~/design/table";
import { PeopleHead } from "~/pages/people/head";

export default function AuditPage() {
  const [state, change] = useSearchState();
  const who = useDeferredValue(state.who ?? "");
  const audit = useAudit({ ...(who && { who }), ...(state.what && { what: state.what }) });
  return (
    <>
      <PeopleHead title="Audit log" note="Who did what to users, logins, tokens and exports, newest first" />
      <Panel
        title="Entries"
        note="What was decided on an order stands on the page of its product"
        actions={
          <>
            <Input
              label="Who"
              isLabelHidden
              type="search"
              placeholder="Who"
              value={state.who ?? ""}
              onChange={(event) => change({ who: event.target.value })}
            />
            <Select
              label="What"
              isLabelHidden
              value={state.what ?? ""}
              onChange={(event) => change({ what: event.target.value })}
              options={[
                ["", "Every action"],
                ...(audit.data?.pages[0]?.actions ?? []).map((one) => [one, format.words(one)] as const),
              ]}
            />
          </>
        }
      >
        <Loaded query={audit} what="audit log" lines={8}>
          {(data) => (
            <DataTable
              caption="Audit log, newest first"
              columns={COLUMNS}
              rows={data.pages.flatMap((page) => page.entries)}
              rowKey={(entry) => String(entry.entry_id)}
              onEnd={() => {
                if (audit.hasNextPage && !audit.isFetchingNextPage) void audit.fetchNextPage();
              }}
              height="max-h-[calc(100vh-16rem)]"
              empty="No entry matches these filters."
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}

const COLUMNS = columnsOf<Schemas["AuditEntry"]>((helper) => [
  helper.accessor("at", {
    header: "When",
    cell: (cell) => (
      <span title={cell.getValue()} className="block min-w-20">
        {format.instant(cell.getValue())}
      </span>
    ),
  }),
  helper.accessor("who", {
    header: "Who",
    cell: (cell) => <span className="block min-w-14 break-all">{cell.getValue()}</span>,
  }),
  helper.accessor("what", { header: "What", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("about", {
    header: "About",
    cell: (cell) => <span className="break-words">{cell.getValue() ?? format.UNKNOWN}</span>,
  }),
  helper.accessor("address", {
    header: "From",
    meta: { isWide: true, hint: "Network address; empty for the command line" },
    cell: (cell) => cell.getValue() ?? format.UNKNOWN,
  }),
]);
