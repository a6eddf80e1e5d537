import '../delivery/index.ts';
