import { PlatformError } from '../../base/errors.ts';
import type { CatalogErrorCode } from './api.ts';

export class CatalogError extends PlatformError<CatalogErrorCode> {}
