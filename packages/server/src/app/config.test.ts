import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadConfig } from './config.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-config-'));
after(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, 'sluice.json');
  writeFileSync(path, text);
  return path;
}

describe('the configuration', () => {
  test('has defaults that bind to loopback', () => {
    assert.deepEqual(loadConfig({ flags: {}, environment: {} }), {
      data: resolve('./.sluice'),
      port: 4566,
      host: '127.0.0.1',
      dev: false,
      logLevel: 'info',
      account: '000000000000',
      limits: 'off',
    });
  });

  test('takes flags before the environment before the file', () => {
    const path = file('{"port": 1, "logLevel": "warn", "account": "111111111111"}');
    const environment = { SLUICE_PORT: '2', SLUICE_LOG_LEVEL: 'error' };
    const config = loadConfig({ flags: { port: 3 }, environment, file: path });
    assert.deepEqual([config.port, config.logLevel, config.account], [3, 'error', '111111111111']);
  });

  test('reads booleans of the environment as words', () => {
    assert.equal(loadConfig({ flags: {}, environment: { SLUICE_DEV: 'true' } }).dev, true);
    assert.equal(loadConfig({ flags: {}, environment: { SLUICE_DEV: 'false' } }).dev, false);
  });

  test('refuses an unknown key and names the file', () => {
    const path = file('{"prot": 1}');
    assert.throws(() => loadConfig({ flags: {}, environment: {}, file: path }), {
      code: 'config',
      message: /sluice\.json.*prot/s,
    });
  });

  test('refuses a file that is not JSON, and one that is not there', () => {
    assert.throws(() => loadConfig({ flags: {}, environment: {}, file: file('port: 1') }), {
      code: 'config',
    });
    assert.throws(() => loadConfig({ flags: {}, environment: {}, file: join(directory, 'none') }), {
      code: 'config',
    });
  });

  test('refuses a port out of range, from wherever it comes', () => {
    assert.throws(() => loadConfig({ flags: { port: 65_536 }, environment: {} }), {
      code: 'config',
      message: /command line/,
    });
    assert.throws(() => loadConfig({ flags: {}, environment: { SLUICE_PORT: 'x' } }), {
      code: 'config',
      message: /environment/,
    });
  });

  test('refuses --dev beyond loopback', () => {
    assert.throws(() => loadConfig({ flags: { dev: true, host: '0.0.0.0' }, environment: {} }), {
      code: 'config',
    });
    for (const host of ['localhost', '127.1.2.3', '::1']) {
      assert.equal(loadConfig({ flags: { dev: true, host }, environment: {} }).host, host);
    }
  });
});
