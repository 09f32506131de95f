/** One table for all lists: TanStack Table for columns, virtual rows where there are many, sorting told to whoever asks. */
import {
  type ColumnDef,
  columnVisibilityFeature,
  createColumnHelper,
  metaHelper,
  type RowData,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Check } from "~/design/field";

interface Meta {
  /** Numbers stand to the right. */
  isNumber?: boolean;
  /** The server's name of the column, where the list can be sorted by it. */
  sort?: string;
  /** Columns that a phone leaves out. */
  isWide?: boolean;
  /** What the column is, on hover. */
  hint?: string;
}

const features = tableFeatures({ columnVisibilityFeature, columnMeta: metaHelper<Meta>() });

export type Columns<Row extends RowData> = ColumnDef<typeof features, Row, unknown>[];

/** The columns of a table; call it once, outside of components. */
export function columnsOf<Row extends RowData>(
  make: (helper: ReturnType<typeof createColumnHelper<typeof features, Row>>) => unknown[],
): Columns<Row> {
  return make(createColumnHelper<typeof features, Row>()) as Columns<Row>;
}

export interface Sorting {
  by: string;
  isDescending: boolean;
}

interface Props<Row extends RowData> {
  caption: string;
  columns: Columns<Row>;
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  sorting?: Sorting;
  onSort?: (sorting: Sorting) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  active?: string | null;
  onOpen?: (row: Row) => void;
  /** A line above a row where a new group starts. */
  groupOf?: (row: Row) => string;
  groupHead?: (row: Row) => ReactNode;
  /** Called when the end of the rows comes into sight. */
  onEnd?: () => void;
  /** Columns that are hidden until chosen; gives the table a column chooser. */
  hidden?: readonly string[];
  /** Tailwind class of the largest height; rows beyond it are scrolled and drawn as needed. */
  height?: string;
  /** About how high a row is, pixels, where it is more than one line; the rows shown are measured. */
  rowHeight?: number;
  empty?: ReactNode;
}

const ROW_HEIGHT = 33;
const HEAD_HEIGHT = 38; // it stays in place and would cover a row
const VIRTUAL_FROM = 60;

export function DataTable<Row extends RowData>(props: Props<Row>) {
  const { caption, columns, rows, rowKey, sorting, onSort, selected, onSelect, active, onOpen } = props;
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: rowKey,
    initialState: { columnVisibility: Object.fromEntries((props.hidden ?? []).map((id) => [id, false])) },
  });
  const scroll = useRef<HTMLElement>(null);
  const models = table.getRowModel().rows;
  const { groupOf } = props;
  const entries = useMemo(() => entriesOf(models, groupOf), [models, groupOf]);
  const isVirtual = entries.length > VIRTUAL_FROM;
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroll.current,
    getItemKey: (index) => entries[index]?.key ?? index,
    estimateSize: () => props.rowHeight ?? ROW_HEIGHT,
    overscan: 12,
    scrollPaddingStart: HEAD_HEIGHT,
    enabled: isVirtual,
  });
  const items = isVirtual
    ? virtual.getVirtualItems()
    : entries.map((_, index) => ({ index, start: 0, end: 0 }));
  const before = isVirtual ? (items[0]?.start ?? 0) : 0;
  const after = isVirtual ? virtual.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  const lastShown = items.at(-1)?.index ?? -1;
  const measure = isVirtual ? virtual.measureElement : undefined;
  const { onEnd } = props;
  useEffect(() => {
    if (onEnd && entries.length > 0 && lastShown >= entries.length - 20) onEnd();
  }, [onEnd, lastShown, entries.length]);
  const activeIndex = active ? entries.findIndex((entry) => entry.key === active) : -1;
  useEffect(() => {
    if (activeIndex < 0) return;
    if (isVirtual) virtual.scrollToIndex(activeIndex, { align: "auto" });
    else scroll.current?.querySelector("tr[data-active]")?.scrollIntoView({ block: "nearest" });
  }, [activeIndex, isVirtual, virtual]);

  const width = table.getVisibleLeafColumns().length + (onSelect ? 1 : 0);
  const toggle = (key: string) => {
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    onSelect?.(next);
  };
  const allSelected = models.length > 0 && models.every((row) => selected?.has(row.id));

  return (
    <>
      {props.hidden && (
        <ColumnChooser
          columns={table.getAllLeafColumns().map((column) => ({
            id: column.id,
            name: String(column.columnDef.header ?? column.id),
            isShown: column.getIsVisible(),
            toggle: () => column.toggleVisibility(),
          }))}
        />
      )}
      <section
        ref={scroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region is reached with the keyboard
        tabIndex={0}
        aria-label={caption}
        className={`relative overflow-auto ${props.height ?? "max-h-[26rem]"}`}
      >
        <table className="w-full border-separate border-spacing-0" aria-rowcount={entries.length + 1}>
          <caption className="sr-only">{caption}</caption>
          <thead className="sticky top-0 z-10">
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id}>
                {onSelect && (
                  <th scope="col" className={`${HEAD} w-8`}>
                    <input
                      type="checkbox"
                      aria-label="Select all that are shown"
                      className="size-4 align-middle accent-accent"
                      checked={allSelected}
                      onChange={() =>
                        onSelect(allSelected ? new Set() : new Set(models.map((row) => row.id)))
                      }
                    />
                  </th>
                )}
                {group.headers.map((header) => {
                  const meta = header.column.columnDef.meta ?? {};
                  const isSorted = meta.sort !== undefined && sorting?.by === meta.sort;
                  const text = <table.FlexRender header={header} />;
                  return (
                    <th
                      key={header.id}
                      scope="col"
                      title={meta.hint}
                      aria-sort={isSorted ? (sorting?.isDescending ? "descending" : "ascending") : undefined}
                      className={`${HEAD} ${meta.isNumber ? "text-right" : "text-left"} ${meta.isWide ? WIDE : ""}`}
                    >
                      {meta.sort && onSort ? (
                        <button
                          type="button"
                          className="font-semibold hover:text-ink"
                          onClick={() =>
                            onSort(nextSorting(meta.sort ?? "", sorting, Boolean(meta.isNumber)))
                          }
                        >
                          {text}
                          <span aria-hidden="true">
                            {isSorted ? (sorting?.isDescending ? " ↓" : " ↑") : ""}
                          </span>
                        </button>
                      ) : (
                        text
                      )}
                    </th>
                  );
                })}
              </tr>
            ))}
          </thead>
          <tbody>
            {before > 0 && <Spacer height={before} width={width} />}
            {items.map(({ index }) => {
              const entry = entries[index];
              if (!entry) return null;
              const { row } = entry;
              if (entry.isHead) {
                return (
                  <tr key={entry.key} ref={measure} data-index={index}>
                    <th
                      scope="colgroup"
                      colSpan={width}
                      className="border-b border-line bg-raised px-3 py-2 text-left font-normal"
                    >
                      {props.groupHead?.(row.original)}
                    </th>
                  </tr>
                );
              }
              const isActive = row.id === active;
              return (
                <tr
                  key={entry.key}
                  ref={measure}
                  data-index={index}
                  data-key={row.id}
                  data-active={isActive || undefined}
                  aria-rowindex={index + 2}
                  aria-selected={onSelect ? Boolean(selected?.has(row.id)) : undefined}
                  aria-current={isActive || undefined}
                  onClick={onOpen && (() => onOpen(row.original))}
                  className={`scroll-mt-10 ${onOpen ? "cursor-pointer" : ""} ${isActive ? ACTIVE : selected?.has(row.id) ? "bg-accent-soft" : "hover:bg-raised"}`}
                >
                  {onSelect && (
                    <td className={CELL}>
                      <input
                        type="checkbox"
                        aria-label={`Select ${row.id}`}
                        className="size-4 align-middle accent-accent"
                        checked={selected?.has(row.id) ?? false}
                        onClick={(event) => event.stopPropagation()}
                        onChange={() => toggle(row.id)}
                      />
                    </td>
                  )}
                  {row.getVisibleCells().map((cell) => {
                    const meta = cell.column.columnDef.meta ?? {};
                    return (
                      <td
                        key={cell.id}
                        className={`${CELL} ${meta.isNumber ? "whitespace-nowrap text-right" : ""} ${meta.isWide ? WIDE : ""}`}
                      >
                        <table.FlexRender cell={cell} />
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {after > 0 && <Spacer height={after} width={width} />}
          </tbody>
        </table>
        {models.length === 0 && (
          <div className="px-3 py-8 text-center text-muted">{props.empty ?? "Nothing here."}</div>
        )}
      </section>
    </>
  );
}

interface Entry<TableRow> {
  key: string;
  row: TableRow;
  isHead: boolean;
}

/** The rows, and a head before each row where a new group starts. */
function entriesOf<TableRow extends { id: string; original: Row }, Row>(
  rows: TableRow[],
  groupOf: ((row: Row) => string) | undefined,
): Entry<TableRow>[] {
  return rows.flatMap((row, index) => {
    const entry = { key: row.id, row, isHead: false };
    const previous = rows[index - 1];
    const isFirst = groupOf && (!previous || groupOf(previous.original) !== groupOf(row.original));
    return isFirst ? [{ key: `head of ${row.id}`, row, isHead: true }, entry] : [entry];
  });
}

const HEAD = "whitespace-nowrap border-b border-line bg-surface px-2 py-2 font-semibold text-muted md:px-3";
const CELL = "border-b border-line px-2 py-1.5 align-middle md:px-3";
const WIDE = "max-md:hidden";
const ACTIVE = "bg-accent-soft outline-2 -outline-offset-2 outline-accent";

function nextSorting(by: string, now: Sorting | undefined, descendingFirst: boolean): Sorting {
  return { by, isDescending: now?.by === by ? !now.isDescending : descendingFirst };
}

function Spacer({ height, width }: { height: number; width: number }) {
  return (
    <tr>
      <td colSpan={width} style={{ height }} />
    </tr>
  );
}

interface Choice {
  id: string;
  name: string;
  isShown: boolean;
  toggle: () => void;
}

function ColumnChooser({ columns }: { columns: Choice[] }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <div className="border-b border-line px-3 py-1.5 text-right max-md:hidden">
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
        className="text-muted hover:text-ink"
      >
        Columns {isOpen ? "▴" : "▾"}
      </button>
      {isOpen && (
        <fieldset className="mt-1 flex flex-wrap justify-end gap-x-4 gap-y-1 pb-1">
          <legend className="sr-only">Columns shown</legend>
          {columns.map((column) => (
            <Check key={column.id} label={column.name} checked={column.isShown} onChange={column.toggle} />
          ))}
        </fieldset>
      )}
    </div>
  );
}
