/** The questions that the demo asks over Athena, and their answers as charts. */
import type { AthenaClient } from '@aws-sdk/client-athena';
import { allRows, runStatement } from '../sql/athena.ts';
import { barChart, type Bar } from '../terminal/bars.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { count, duration } from '../terminal/units.ts';
import { NAMES } from './lake.ts';

const DEPARTURES = `${NAMES.database}.${NAMES.departures}`;
const AIRPORTS = `${NAMES.database}.${NAMES.airports}`;
/** As the U.S. Department of Transportation counts: a flight is late from 15 minutes on. */
const LATE_MINUTES = 15;
const ROUTES = 10;
/** Of all flights: an hour with fewer says nothing, but that late flights leave at night. */
const HOUR_SHARE_MIN = 0.002;

export interface Route {
  readonly from: string;
  readonly to: string;
  readonly flights: number;
  readonly delayMinutes: number;
}

export interface Hour {
  readonly hour: number;
  readonly flights: number;
  /** Share of late flights, 0 … 1. */
  readonly late: number;
}

export interface Answers {
  readonly flights: number;
  readonly routes: readonly Route[];
  readonly hours: readonly Hour[];
  /** Of each query, request to last row. */
  readonly queriesMs: readonly number[];
}

export interface Counts {
  readonly rows: number;
  readonly distinct: number;
}

export interface Questions {
  /** Rows of the run. */
  countRun(): Promise<number>;
  /** Rows of the run, and how many different flights are among them. */
  countDifferent(): Promise<Counts>;
  countAll(): Promise<number>;
  airportCodes(): Promise<Set<string>>;
  ask(): Promise<Answers>;
}

/** Questions about the rows of one run. */
export function questionsOf(athena: AthenaClient, run: string): Questions {
  const rowsOf = async (sql: string) => {
    const startMs = performance.now();
    const rows = await allRows(await runStatement(athena, sql));
    return { rows, ms: performance.now() - startMs };
  };
  const ofRun = `where d.run = '${run}'`;
  return {
    async countRun() {
      const { rows } = await rowsOf(`select count(*) as flights from ${DEPARTURES} d ${ofRun}`);
      return Number(rows[0]?.[0]);
    },
    async countDifferent() {
      const { rows } = await rowsOf(
        `select count(*) as flights, count(distinct d.flight_id) as different from ${DEPARTURES} d ${ofRun}`,
      );
      return { rows: Number(rows[0]?.[0]), distinct: Number(rows[0]?.[1]) };
    },
    async countAll() {
      const { rows } = await rowsOf(`select count(*) as flights from ${DEPARTURES}`);
      return Number(rows[0]?.[0]);
    },
    async airportCodes() {
      const { rows } = await rowsOf(`select iata from ${AIRPORTS}`);
      return new Set(rows.map(([iata]) => iata ?? ''));
    },
    async ask() {
      const routes = await rowsOf(`
        select o.city as from_city, d.origin, t.city as to_city, d.destination,
               count(*) as flights, avg(d.arrival_delay_minutes) as delay_minutes
        from ${DEPARTURES} d
        join ${AIRPORTS} o on o.iata = d.origin
        join ${AIRPORTS} t on t.iata = d.destination
        ${ofRun}
        group by o.city, d.origin, t.city, d.destination
        order by flights desc, d.origin, d.destination
        limit ${ROUTES}`);
      const hours = await rowsOf(`
        select extract(hour from d.departed_at) as hour, count(*) as flights,
               avg(case when d.arrival_delay_minutes >= ${LATE_MINUTES} then 1.0 else 0.0 end) as late
        from ${DEPARTURES} d ${ofRun}
        group by 1 order by 1`);
      return {
        routes: routes.rows.map(([fromCity, from, toCity, to, flights, delay]) => ({
          from: `${fromCity} ${from}`,
          to: `${toCity} ${to}`,
          flights: Number(flights),
          delayMinutes: Number(delay),
        })),
        hours: hours.rows.map(([hour, flights, late]) => ({
          hour: Number(hour),
          flights: Number(flights),
          late: Number(late),
        })),
        flights: hours.rows.reduce((sum, row) => sum + Number(row[1]), 0),
        queriesMs: [routes.ms, hours.ms],
      };
    },
  };
}

export interface ChartSize {
  readonly routes: number;
  /** Hours that share a line: 1 or a divisor of 24. */
  readonly hoursPerLine: number;
}

export const FULL_CHARTS: ChartSize = { routes: ROUTES, hoursPerLine: 1 };

/** The charts as lines. */
export function answerLines(answers: Answers, terminal: Terminal, size: ChartSize = FULL_CHARTS): string[] {
  const { paint } = terminal;
  return [
    `${paint('bold', 'Busiest routes')} ${paint('dim', '(flights, minutes late on average)')}`,
    ...barChart(answers.routes.slice(0, size.routes).map(routeBar(terminal)), terminal, { colour: 'cyan' }),
    '',
    `${paint('bold', 'Late flights by hour of departure')} ${paint('dim', `(${LATE_MINUTES} minutes or more at arrival; hours with few flights left out)`)}`,
    ...barChart(joinHours(busyHours(answers), size.hoursPerLine).map(hourBar), terminal, {
      colour: 'magenta',
    }),
  ];
}

/** One line of the answers for where nothing can be rewritten. */
export function answerSummary(answers: Answers): string {
  const route = answers.routes[0];
  const worst = busyHours(answers).reduce<Hour | undefined>(
    (top, hour) => (top === undefined || hour.late > top.late ? hour : top),
    undefined,
  );
  if (route === undefined || worst === undefined) return 'no answer yet';
  const ms = answers.queriesMs.reduce((sum, each) => sum + each, 0);
  return `SQL over ${count(answers.flights)} flights: busiest route ${route.from} - ${route.to} (${count(route.flights)}), most late at ${clock(worst.hour)} (${percent(worst.late)}); answered in ${duration(ms)}`;
}

function routeBar({ unicode }: Terminal): (route: Route) => Bar {
  return ({ from, to, flights, delayMinutes }) => ({
    label: `${from} ${unicode ? '→' : '->'} ${to}`,
    value: flights,
    text: `${count(flights)}  ${`${delayMinutes < 0 ? '' : '+'}${delayMinutes.toFixed(1)} min`.padStart(9)}`,
  });
}

function busyHours({ hours, flights }: Answers): Hour[] {
  return hours.filter((hour) => hour.flights >= flights * HOUR_SHARE_MIN);
}

/** Hours put together in groups that begin at midnight. */
export function joinHours(hours: readonly Hour[], perLine: number): Hour[] {
  const groups = Map.groupBy(hours, ({ hour }) => Math.floor(hour / perLine) * perLine);
  return [...groups].map(([hour, members]) => {
    const flights = members.reduce((sum, each) => sum + each.flights, 0);
    const late = members.reduce((sum, each) => sum + each.late * each.flights, 0);
    return { hour, flights, late: flights === 0 ? 0 : late / flights };
  });
}

function hourBar({ hour, flights, late }: Hour): Bar {
  return { label: clock(hour), value: late, text: `${percent(late)} of ${count(flights).padStart(9)}` };
}

function clock(hour: number): string {
  return `${String(hour).padStart(2, '0')}:00`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0).padStart(2)} %`;
}
