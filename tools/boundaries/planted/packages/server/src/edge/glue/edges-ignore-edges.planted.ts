import '../athena/index.ts';
