/** Which page an address shows. Nobody sees any but the login page without a login. */
import { lazy, Suspense, useEffect, useRef } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { useMe } from "~/api/queries";
import { Failed, Loading, PageHead } from "~/design/blocks";
import { setCurrency } from "~/design/format";
import { LoginPage } from "~/pages/login";
import { OrdersPage } from "~/pages/orders/page";
import { Shell } from "~/shell/shell";

const ProductPage = lazy(() => import("~/pages/product/page"));
const OverviewPage = lazy(() => import("~/pages/overview"));
const TrendsPage = lazy(() => import("~/pages/trends"));
const QualityPage = lazy(() => import("~/pages/quality"));
const ScenariosPage = lazy(() => import("~/pages/scenarios"));
const UploadsPage = lazy(() => import("~/pages/uploads/page"));
const DataPage = lazy(() => import("~/pages/data"));
const AccountPage = lazy(() => import("~/pages/people/account"));
const PeoplePage = lazy(() => import("~/pages/people/people"));
const AuditPage = lazy(() => import("~/pages/people/audit"));

export function App() {
  const me = useMe();
  const [path] = useLocation();
  useFocusOnNewPage(path);
  if (me.isPending) {
    return (
      <div className="p-8">
        <Loading what="the dashboard" />
      </div>
    );
  }
  if (me.error) {
    return (
      <main className="p-8">
        <Failed error={me.error} what="the dashboard" retry={() => void me.refetch()} />
      </main>
    );
  }
  if (!me.data) return <LoginPage />;
  setCurrency(me.data.currency);
  return (
    <Shell me={me.data}>
      <Suspense fallback={<Loading what="the page" lines={6} />}>
        <Switch>
          <Route path="/" component={OverviewPage} />
          <Route path="/orders" component={OrdersPage} />
          <Route path="/item" component={ProductPage} />
          <Route path="/trends" component={TrendsPage} />
          <Route path="/quality" component={QualityPage} />
          <Route path="/scenarios" component={ScenariosPage} />
          <Route path="/uploads" component={UploadsPage} />
          <Route path="/data" component={DataPage} />
          <Route path="/account" component={AccountPage} />
          <Route path="/people" component={PeoplePage} />
          <Route path="/audit" component={AuditPage} />
          <Route>
            <PageHead title="No such page" note="The address leads nowhere." />
            <Link href="/" className="text-accent underline">
              Go to the overview
            </Link>
          </Route>
        </Switch>
      </Suspense>
    </Shell>
  );
}

/** Screen readers and the keyboard start at the top of a page that was just opened. */
function useFocusOnNewPage(path: string) {
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    window.scrollTo(0, 0);
    document.getElementById("page")?.focus({ preventScroll: true });
  }, [path]);
}
