import { PlatformError } from '../../base/errors.ts';
import type { QueryErrorCode } from './api.ts';

export class QueryError extends PlatformError<QueryErrorCode> {}
