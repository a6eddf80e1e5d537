import '../two/index.ts';
