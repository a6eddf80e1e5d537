import '../modules/catalog/index.ts';
