import './no-circles.planted.ts'; export const b = 1;
