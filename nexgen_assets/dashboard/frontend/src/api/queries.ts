/** Every question the pages ask the API. A query's key starts with what it is about, so that decisions can renew it. */
import { keepPreviousData, QueryCache, QueryClient, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ApiError, api, read, type Schemas } from "~/api/client";
import type { operations } from "~/api/schema";

export type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;
type Signal = { signal: AbortSignal };

const MINUTE = 60_000;
const PAGE = 200;

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // a session that has ended: the login page takes over
      if (error instanceof ApiError && error.status === 401) queryClient.setQueryData(["me"], null);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: MINUTE,
      retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.status >= 500),
    },
  },
});

/** Who is logged in; null for nobody. */
export const useMe = () =>
  useQuery({
    queryKey: ["me"],
    queryFn: async ({ signal }: Signal) => {
      try {
        return await read(api.GET("/api/me", { signal }));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
  });

export type Permission = Schemas["Permission"];

export function useMay(permission: Permission): boolean {
  return useMe().data?.permissions.includes(permission) ?? false;
}

export const useSnapshot = () =>
  useQuery({
    queryKey: ["snapshot"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/snapshot", { signal })),
    refetchInterval: MINUTE,
  });

export const useChoices = () =>
  useQuery({
    queryKey: ["choices"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/choices", { signal })),
    staleTime: 10 * MINUTE,
  });

export type OrderFilters = Omit<Query<"worklist">, "offset" | "limit">;

export const useWorklist = (query: OrderFilters) =>
  useInfiniteQuery({
    queryKey: ["orders", "lines", query],
    queryFn: ({ pageParam, signal }: Signal & { pageParam: number }) =>
      read(
        api.GET("/api/orders", { params: { query: { ...query, offset: pageParam, limit: PAGE } }, signal }),
      ),
    initialPageParam: 0,
    getNextPageParam: (last) =>
      last.offset + last.limit < last.total ? last.offset + last.limit : undefined,
    placeholderData: keepPreviousData,
  });

export const useSuppliers = (query: OrderFilters, isWanted: boolean) =>
  useQuery({
    queryKey: ["orders", "suppliers", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/orders/suppliers", { params: { query }, signal })),
    enabled: isWanted,
    placeholderData: keepPreviousData,
  });

export interface Item {
  product_id: string;
  location: string;
}

export const useOrderLine = (query: Item) =>
  useQuery({
    queryKey: ["orders", "line", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/orders/line", { params: { query }, signal })),
  });

/** What another quantity would do, beside the proposal. */
export const useOutcome = (query: Item & { order_units: number }, isWanted: boolean) =>
  useQuery({
    queryKey: ["orders", "outcome", query],
    queryFn: ({ signal }: Signal) =>
      read(
        api.GET("/api/orders/outcomes", {
          params: { query: { ...query, order_units: [query.order_units] } },
          signal,
        }),
      ),
    enabled: isWanted,
    placeholderData: keepPreviousData,
  });

export const useExceptions = (query: Query<"exceptions">) =>
  useQuery({
    queryKey: ["orders", "exceptions", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/exceptions", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const useDemand = (query: Item & { days: number }) =>
  useQuery({
    queryKey: ["series", "demand", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/series/demand", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

/** Under "orders" too: its projected stock knows what was decided. */
export const useFan = (query: Item) =>
  useQuery({
    queryKey: ["orders", "forecast", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/series/forecast", { params: { query }, signal })),
  });

export const usePastForecasts = (query: Item & { horizon: number; days: number }) =>
  useQuery({
    queryKey: ["series", "past", query],
    queryFn: ({ signal }: Signal) =>
      read(api.GET("/api/series/past-forecasts", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const useKpis = (days: number) =>
  useQuery({
    queryKey: ["kpis", days],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/kpis", { params: { query: { days } }, signal })),
    placeholderData: keepPreviousData,
  });

export const useForecastTotals = (query: Query<"forecast_totals">) =>
  useQuery({
    queryKey: ["forecasts", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/forecasts", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const useTrend = (query: Query<"sales_trend">) =>
  useQuery({
    queryKey: ["sales", "trend", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/sales/trend", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const useBreakdown = (query: Query<"sales_breakdown">) =>
  useQuery({
    queryKey: ["sales", "breakdown", query],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/sales/breakdown", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });

export const useAccuracy = (days: number) =>
  useQuery({
    queryKey: ["accuracy", days],
    queryFn: ({ signal }: Signal) =>
      read(api.GET("/api/forecasts/accuracy", { params: { query: { days } }, signal })),
    placeholderData: keepPreviousData,
  });

export const useBacktest = () =>
  useQuery({
    queryKey: ["backtest"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/forecasts/backtest", { signal })),
  });

export const useModels = () =>
  useQuery({
    queryKey: ["models"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/models", { signal })),
  });

export const useFrontier = () =>
  useQuery({
    queryKey: ["frontier"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/policies/frontier", { signal })),
  });

export const useQuality = (days: number) =>
  useQuery({
    queryKey: ["quality", days],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/quality", { params: { query: { days } }, signal })),
  });

export const useRuns = () =>
  useQuery({
    queryKey: ["runs"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/runs", { signal })),
    refetchInterval: MINUTE,
  });

export const useExports = () =>
  useQuery({
    queryKey: ["exports"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/exports", { signal })),
  });
