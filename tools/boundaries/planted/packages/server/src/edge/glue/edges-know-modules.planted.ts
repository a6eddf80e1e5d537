import '../../app/app.ts';
