import { findServer, type ServerOptions } from '../connection.ts';
import { formatVariables, type EnvFormat } from './env-formats.ts';

export interface EnvOptions extends ServerOptions {
  readonly format: EnvFormat;
}

/** Prints what an AWS client needs to speak to the server, for the shell to evaluate. */
export function envCommand(options: EnvOptions): void {
  // What an earlier evaluation left in this shell is what the user wants to replace.
  const { AWS_ENDPOINT_URL: _, ...environment } = process.env;
  const { endpoint, accessKeyId, secretAccessKey, region } = findServer(options, environment);
  const variables = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: region,
    // The AWS CLI of version 1 and boto3 know this name only.
    AWS_DEFAULT_REGION: region,
  };
  process.stdout.write(formatVariables(variables, options.format));
}
