/** Domain metadata: texts that applications keep in a table's log, and the clustering, which is kept so as well. */
import { DeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { upgradedProtocol } from '../protocol/features.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { CLUSTERING_DOMAIN } from '../write/indexed-leaves.ts';
import { clusteringDomain } from './clustering-domain.ts';
import { type AlterResult, commitChange } from './commit-change.ts';
import type { ColumnPath } from './field-paths.ts';

/**
 * Sets the text of a domain, instead of the one that it had. Throws `invalid-property` for a domain of Delta's own,
 * which begin with `delta.`.
 */
export async function setDomainMetadata(
  context: TableContext,
  { domain, configuration }: { readonly domain: string; readonly configuration: string },
): Promise<AlterResult> {
  assertUserDomain(domain);
  return commitChange(context, (state) => ({
    operation: 'SET DOMAIN METADATA',
    operationParameters: { domain },
    actions:
      state.domains.get(domain)?.configuration === configuration
        ? []
        : [
            ...withFeature(state, 'domainMetadata'),
            { domainMetadata: { domain, configuration, removed: false } },
          ],
  }));
}

/** Removes a domain; one that isn't there is left so. Throws as {@link setDomainMetadata}. */
export async function removeDomainMetadata(context: TableContext, domain: string): Promise<AlterResult> {
  assertUserDomain(domain);
  return commitChange(context, (state) => {
    const existing = state.domains.get(domain);
    const actions: Action[] =
      existing === undefined ? [] : [{ domainMetadata: { ...existing, removed: true } }];
    return { operation: 'REMOVE DOMAIN METADATA', operationParameters: { domain }, actions };
  });
}

/**
 * Sets the columns that files written from now on are clustered by; none of them ends the clustering. Rows there are
 * move with the next optimize. Throws as `clusteringDomain`.
 */
export async function setClustering(
  context: TableContext,
  columns: readonly ColumnPath[],
): Promise<AlterResult> {
  return commitChange(context, (state) => {
    const before = state.domains.get(CLUSTERING_DOMAIN);
    const domainMetadata = clusteringDomain(state, columns);
    const isSame =
      before === undefined ? columns.length === 0 : before.configuration === domainMetadata.configuration;
    return {
      operation: 'CLUSTER BY',
      operationParameters: { newClusteringColumns: columns },
      actions: isSame ? [] : [...withFeature(state, 'clustering'), { domainMetadata }],
    };
  });
}

function withFeature(state: TableState, feature: string): Action[] {
  const protocol = upgradedProtocol(state.protocol, state.schema, { features: [feature] });
  return protocol === state.protocol ? [] : [{ protocol }];
}

function assertUserDomain(domain: string): void {
  if (domain !== '' && !domain.toLowerCase().startsWith('delta.')) return;
  throw new DeltaError({
    code: 'invalid-property',
    message:
      domain === ''
        ? 'a domain needs a name'
        : `the domain "${domain}" is Delta's own, which features set by themselves`,
  });
}
