import '../ports/port.ts';
