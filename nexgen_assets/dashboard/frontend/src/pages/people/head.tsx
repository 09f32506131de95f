/** The head of the pages about people: everybody has an account, admins see the other people too. */
import { Link, useLocation } from "wouter";
import { useMay } from "~/api/queries";
import { PageHead } from "~/design/blocks";

const PAGES = [
  ["/account", "Your account"],
  ["/people", "People"],
  ["/audit", "Audit log"],
] as const;

export function PeopleHead({ title, note }: { title: string; note: string }) {
  const isAdmin = useMay("administer");
  const [path] = useLocation();
  return (
    <PageHead title={title} note={note}>
      {isAdmin && (
        <nav aria-label="Accounts">
          <ul className="flex gap-1">
            {PAGES.map(([href, name]) => (
              <li key={href}>
                <Link
                  href={href}
                  aria-current={path === href ? "page" : undefined}
                  className={`block rounded-md px-2.5 py-1 font-medium ${path === href ? "bg-accent-soft text-ink" : "text-muted hover:bg-raised hover:text-ink"}`}
                >
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </PageHead>
  );
}
