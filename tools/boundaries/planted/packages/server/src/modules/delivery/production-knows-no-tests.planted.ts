import './x.test.ts';
