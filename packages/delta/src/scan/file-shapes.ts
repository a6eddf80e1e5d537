/**
 * What single files call the members of nested columns. DuckDB finds top-level columns by name or by field id, but the
 * members of structs by name alone, and a struct of which a file has none of the members it can't read at all. Both
 * come up only where columns are mapped: files of the mode `id` may use any names, and columns can be dropped.
 */
import {
  FIELD_ID_KEY,
  fieldId,
  greatestColumnId,
  MAX_COLUMN_ID_PROPERTY,
  mappingMode,
  type MappingMode,
  physicalName,
} from '../column-mapping/index.ts';
import type { Engine } from '../engine.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { someType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { FooterFacts } from './footer-facts.ts';
import type { ScanColumn } from './scan-columns.ts';

/** An element of a Parquet file's schema. */
interface Element {
  readonly name: string;
  readonly id: number | undefined;
  readonly isRepeated: boolean;
  readonly children: readonly Element[];
}

/** The columns for each path, shared by files of the same shape; undefined if those of the schema suit every file. */
export async function columnsByFile(
  engine: Engine,
  state: TableState,
  { columns, paths }: { columns: readonly ScanColumn[]; paths: readonly string[] },
): Promise<readonly (readonly ScanColumn[])[] | undefined> {
  if (!mayDiffer(state) || engine.session === undefined || paths.length === 0) return undefined;
  const shapes = await SHAPES.of(engine, paths);
  const mode = mappingMode(state);
  const made = new Map<Element, readonly ScanColumn[]>();
  return paths.map((path) => {
    const shape = shapes.get(path);
    if (shape === undefined) return columns;
    const known = made.get(shape);
    if (known !== undefined) return known;
    const own = columns.map((column) => columnIn(shape, column, { state, mode }));
    made.set(shape, own);
    return own;
  });
}

function mayDiffer(state: TableState): boolean {
  const mode = mappingMode(state);
  const isNested = state.schema.fields.some(({ type }) => someType(type, isStruct));
  if (mode === 'none' || !isNested) return false;
  return mode === 'id' || columnsWereDropped(state);
}

/** Every id that was given is still in use unless a column was dropped. */
function columnsWereDropped({ schema, metadata }: TableState): boolean {
  const given = Number(metadata.configuration[MAX_COLUMN_ID_PROPERTY] ?? greatestColumnId(schema));
  return countFields(schema) < given;
}

function countFields(type: DataType): number {
  if (typeof type === 'string') return 0;
  if (type.type === 'array') return countFields(type.elementType);
  if (type.type === 'map') return countFields(type.keyType) + countFields(type.valueType);
  return type.fields.reduce((sum, field) => sum + 1 + countFields(field.type), 0);
}

function isStruct(type: DataType): boolean {
  return typeof type !== 'string' && type.type === 'struct';
}

const ELEMENT = 'struct_pack(n := name, i := field_id, r := repetition_type, c := num_children)';
const SHAPES = new FooterFacts<Element>(
  (files) =>
    `SELECT file_name, CAST(to_json(list(${ELEMENT} ORDER BY column_id)) AS VARCHAR) ` +
    `FROM parquet_schema(${files}) GROUP BY file_name`,
  parsedShape,
);

interface FlatElement {
  readonly n: string;
  readonly i: number | null;
  readonly r: string | null;
  readonly c: number | null;
}

/** From the depth-first list that a Parquet file holds. */
function parsedShape(text: string): Element {
  const flat = (JSON.parse(text) as FlatElement[]).values();
  const next = (): Element => {
    const { value } = flat.next();
    const children: Element[] = [];
    for (let left = value?.c ?? 0; left > 0; left -= 1) children.push(next());
    return {
      name: value?.n ?? '',
      id: value?.i ?? undefined,
      isRepeated: value?.r === 'REPEATED',
      children,
    };
  };
  return next();
}

function columnIn(
  shape: Element,
  column: ScanColumn,
  { state, mode }: { state: TableState; mode: MappingMode },
): ScanColumn {
  const field = state.schema.fields.find(({ name }) => name === column.name);
  if (column.kind === 'partition' || field === undefined || !someType(field.type, isStruct)) return column;
  const element = childOf(shape, field, mode);
  return element === undefined ? column : { ...column, fileType: typeIn(element, field.type, mode) };
}

/** The type with the members that the file has, as the file calls them; ids stay in the fields' metadata. */
function typeIn(element: Element, type: DataType, mode: MappingMode): DataType {
  if (typeof type === 'string') return type;
  if (type.type === 'struct') return structIn(element, type, mode);
  const repeated = element.children[0];
  if (repeated === undefined) return type;
  if (type.type === 'array') {
    const item = isListWrapper(repeated, element) ? repeated.children[0] : repeated;
    return item === undefined ? type : { ...type, elementType: typeIn(item, type.elementType, mode) };
  }
  const [key, value] = repeated.children;
  return {
    ...type,
    keyType: key === undefined ? type.keyType : typeIn(key, type.keyType, mode),
    valueType: value === undefined ? type.valueType : typeIn(value, type.valueType, mode),
  };
}

function structIn(element: Element, type: StructType, mode: MappingMode): StructType {
  const fields = type.fields.flatMap((field): StructField[] => {
    const child = childOf(element, field, mode);
    return child === undefined ? [] : [{ ...field, name: child.name, type: typeIn(child, field.type, mode) }];
  });
  const [first] = element.children;
  // Some member has to be read for whether the struct is there; everything can be read as text.
  if (fields.length === 0 && first !== undefined) {
    return {
      type: 'struct',
      fields: [{ name: first.name, type: 'string', nullable: true, metadata: { [FIELD_ID_KEY]: -1 } }],
    };
  }
  return { type: 'struct', fields };
}

/** Parquet's rules for lists of two levels (LogicalTypes.md, "Backward-compatibility rules"). */
function isListWrapper(repeated: Element, list: Element): boolean {
  return (
    repeated.children.length === 1 && repeated.name !== 'array' && repeated.name !== `${list.name}_tuple`
  );
}

function childOf(parent: Element, field: StructField, mode: MappingMode): Element | undefined {
  if (mode === 'id') {
    const id = fieldId(field);
    return parent.children.find((child) => child.id === id);
  }
  const name = physicalName(field, mode);
  return parent.children.find((child) => child.name === name);
}
