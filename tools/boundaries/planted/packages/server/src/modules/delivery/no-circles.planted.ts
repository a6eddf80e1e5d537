import './circle.ts'; export const a = 1;
