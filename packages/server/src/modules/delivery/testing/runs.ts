import type { BatchRequest, RecordsToWrite } from '../../../ports/row-writer.ts';
import type { StructField, StructType } from '@sluice/delta';

/** Records of one shard as the log would give them. */
export function runOf(
  data: readonly (string | Uint8Array)[],
  options: {
    readonly uid?: number;
    readonly firstOffset?: number;
    readonly key?: string;
    readonly arrivalMs?: number;
  } = {},
): RecordsToWrite {
  const { uid = 1, firstOffset = 0, key = 'key', arrivalMs = Date.UTC(2026, 0, 2) } = options;
  const parts: Buffer[] = [];
  const bounds = new Uint32Array(data.length * 2 + 1);
  let at = 0;
  const push = (part: Buffer): void => {
    parts.push(part);
    at += part.length;
  };
  data.forEach((each, index) => {
    bounds[index * 2] = at;
    push(Buffer.from(key));
    bounds[index * 2 + 1] = at;
    push(Buffer.from(each as string));
  });
  bounds[data.length * 2] = at;
  const bytes = new Uint8Array(Buffer.concat(parts));
  return { uid, shardId: 'shardId-000000000000', firstOffset, count: data.length, arrivalMs, bytes, bounds };
}

export function requestFor(
  fields: readonly StructField[],
  options: Partial<BatchRequest> = {},
): BatchRequest {
  const schema: StructType = { type: 'struct', fields };
  return {
    schemaJson: JSON.stringify(schema),
    unknownFields: 'ignore',
    columnsAddedMax: 10,
    delivery: 'to-table',
    stream: 'clicks',
    rewriteAll: false,
    decided: [],
    ...options,
  };
}
