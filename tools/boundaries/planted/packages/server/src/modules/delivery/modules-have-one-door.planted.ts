import '../catalog/inner.ts';
