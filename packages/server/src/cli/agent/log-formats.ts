/** The log formats that LOGTOJSON knows. */
const COMMON = String.raw`^(\S+) (\S+) (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-)`;
const QUOTED = String.raw` "((?:[^"\\]|\\.)*)"`;
const COMMON_FIELDS = ['host', 'ident', 'authuser', 'datetime', 'request', 'response', 'bytes'];
const SYSLOG_REST = String.raw` (?:<\d+\.\d+> )?(\S+) ([^\s:\[]+)(?:\[(\d+)\])?: (.*)`;
const SYSLOG_FIELDS = ['timestamp', 'hostname', 'program', 'processid', 'message'];

/** The layouts by their names in the Kinesis Agent, with the names of fields that it writes. */
export const FORMATS = {
  COMMONAPACHELOG: { pattern: COMMON, fields: COMMON_FIELDS },
  COMBINEDAPACHELOG: { pattern: COMMON + QUOTED + QUOTED, fields: [...COMMON_FIELDS, 'referer', 'agent'] },
  APACHEERRORLOG: {
    pattern: String.raw`^\[([^\]]+)\] \[(?:(\w*):)?(\w+)\] \[pid (\d+)(?::tid (\d+))?\] \[client:? ([^\]]+)\] (.*)`,
    fields: ['timestamp', 'module', 'severity', 'processid', 'threadid', 'client', 'message'],
  },
  SYSLOG: {
    pattern: String.raw`^(\w{3}\s+\d{1,2} \d{2}:\d{2}:\d{2}(?:\.\d+)?)${SYSLOG_REST}`,
    fields: SYSLOG_FIELDS,
  },
  RFC3339SYSLOG: { pattern: String.raw`^(\d{4}-\d{2}-\d{2}T\S+)${SYSLOG_REST}`, fields: SYSLOG_FIELDS },
} as const;
