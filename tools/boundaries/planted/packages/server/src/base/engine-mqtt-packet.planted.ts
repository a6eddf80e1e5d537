import 'mqtt-packet';
