import '../../server/src/app/app.ts';
